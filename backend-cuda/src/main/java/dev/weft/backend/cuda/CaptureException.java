package dev.weft.backend.cuda;

import dev.weft.WeftException;

/** A sequence of kernels could not be recorded as a graph; the message says why. It still runs call by call. */
final class CaptureException extends WeftException {
    private static final long serialVersionUID = 1L;

    CaptureException(String message, Throwable cause) {
        super(message, cause);
    }
}
