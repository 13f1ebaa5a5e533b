package dev.weft.backend.cuda;

import java.lang.foreign.MemorySegment;

/**
 * The functions of NVRTC, NVIDIA's compiler as a library, as {@code nvrtc.h} declares them. A program is a handle; all but the
 * text answer with an {@code nvrtcResult}.
 */
interface Nvrtc {
    int nvrtcVersion(MemorySegment outMajor, MemorySegment outMinor);

    MemorySegment nvrtcGetErrorString(int result);

    int nvrtcGetNumSupportedArchs(MemorySegment outCount);

    int nvrtcGetSupportedArchs(MemorySegment outArchs);

    int nvrtcCreateProgram(
            MemorySegment outProgram,
            MemorySegment source,
            MemorySegment name,
            int headers,
            MemorySegment texts,
            MemorySegment includeNames);

    int nvrtcDestroyProgram(MemorySegment program);

    int nvrtcCompileProgram(long program, int options, MemorySegment texts);

    int nvrtcGetProgramLogSize(long program, MemorySegment outBytes);

    int nvrtcGetProgramLog(long program, MemorySegment outText);

    int nvrtcGetCUBINSize(long program, MemorySegment outBytes);

    int nvrtcGetCUBIN(long program, MemorySegment outImage);
}
