// Graph capture and replay.
#include "acl/acl_mdl.h"
#include "acl/acl_rt.h"
#include "capture.h"

extern "C" {

aclError aclmdlRICaptureBegin(aclrtStream stream, aclmdlRICaptureMode mode) {
    EMU_ENTER("aclmdlRICaptureBegin");
    return emu::begin_capture(stream, mode);
}

aclError aclmdlRICaptureEnd(aclrtStream stream, aclmdlRI* modelRI) {
    EMU_ENTER("aclmdlRICaptureEnd");
    return emu::end_capture(stream, modelRI);
}

aclError aclmdlRICaptureGetInfo(aclrtStream stream, aclmdlRICaptureStatus* status, aclmdlRI* modelRI) {
    EMU_ENTER("aclmdlRICaptureGetInfo");
    int number = 0;
    int code = emu::capture_info(stream, &number, modelRI);
    if (status != nullptr) {
        *status = static_cast<aclmdlRICaptureStatus>(number);
    }
    return code;
}

aclError aclmdlRICaptureThreadExchangeMode(aclmdlRICaptureMode* mode) {
    EMU_ENTER("aclmdlRICaptureThreadExchangeMode");
    int number = mode == nullptr ? -1 : *mode;
    int code = emu::exchange_mode(&number);
    if (code == 0) {
        *mode = static_cast<aclmdlRICaptureMode>(number);
    }
    return code;
}

aclError aclmdlRIExecuteAsync(aclmdlRI modelRI, aclrtStream stream) {
    EMU_ENTER("aclmdlRIExecuteAsync");
    return emu::launch_graph(modelRI, stream);
}

aclError aclmdlRIExecute(aclmdlRI modelRI, int32_t timeout) {
    EMU_ENTER("aclmdlRIExecute");
    if (int code = emu::launch_graph(modelRI, nullptr)) {
        return code;
    }
    return aclrtSynchronizeStreamWithTimeout(nullptr, timeout);
}

aclError aclmdlRIDestroy(aclmdlRI modelRI) {
    EMU_ENTER("aclmdlRIDestroy");
    return emu::destroy_graph(modelRI);
}

}  // extern "C"
