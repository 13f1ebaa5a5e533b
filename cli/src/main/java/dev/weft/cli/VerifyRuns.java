package dev.weft.cli;

import dev.weft.DeviceId;
import dev.weft.DeviceLostException;
import dev.weft.WeftException;
import dev.weft.conformance.OpCase;
import dev.weft.conformance.OpRunner;
import dev.weft.conformance.Outcome;
import dev.weft.spi.BackendDevice;
import dev.weft.spi.Backends;

/** Runs cases on a device, which is opened again when one has lost it: whoever checks a machine wants to know of the others too. */
final class VerifyRuns implements AutoCloseable {
    /** A device that is lost so often has nothing more to tell; on some each loss takes minutes. */
    private static final int MOST_LOSSES = 10;

    private final Backends backends;
    private final DeviceId id;
    private BackendDevice device;
    private int losses;
    private String over = "";

    VerifyRuns(Backends backends, BackendDevice device) {
        this.backends = backends;
        this.id = device.info().id();
        this.device = device;
    }

    /** The outcome of a case; a lost device is a failure of the case that lost it. */
    Outcome run(OpCase c, long seed) {
        if (!over.isEmpty()) {
            return new Outcome.Failed(OpRunner.name(c, seed) + ": not run: " + over);
        }
        try {
            return OpRunner.run(device, c, seed);
        } catch (DeviceLostException e) {
            losses++;
            openAgain();
            return new Outcome.Failed(OpRunner.name(c, seed) + ": " + e.getMessage());
        }
    }

    private void openAgain() {
        if (losses == MOST_LOSSES) {
            over = id + " was lost " + losses + " times";
            return;
        }
        try {
            device.close();
            device = backends.device(id);
        } catch (WeftException e) {
            over = id + " was lost and does not open again: " + e.getMessage();
        }
    }

    @Override
    public void close() {
        device.close();
    }
}
