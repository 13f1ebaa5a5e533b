package dev.weft.benchmarks.peer;

/** ONNX Runtime. */
final class OnnxRuntime {
    private OnnxRuntime() {}

    static Peer find(int threads) {
        return new Peer.Absent("onnxruntime", "not bound yet");
    }
}
