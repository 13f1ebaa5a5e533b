package dev.weft.cli;

import dev.weft.DeviceId;
import dev.weft.DeviceLostException;
import dev.weft.conformance.BatchInvariance;
import dev.weft.conformance.OpCase;
import dev.weft.conformance.OpRunner;
import dev.weft.conformance.Outcome;
import dev.weft.spi.BackendDevice;
import java.util.function.Function;

/** Runs cases on a device, which is opened again when one has lost it: whoever checks a machine wants to know of the others too. */
final class VerifyRuns implements AutoCloseable {
    /** A device that is lost so often has nothing more to tell; on some each loss takes minutes. */
    private static final int MOST_LOSSES = 10;

    private final Function<DeviceId, BackendDevice> opener;
    private final DeviceId id;
    private BackendDevice device;
    private int losses;
    private String over = "";

    /**
     * @param device closed with this
     * @param opener opens it again
     */
    VerifyRuns(BackendDevice device, Function<DeviceId, BackendDevice> opener) {
        this.opener = opener;
        this.id = device.info().id();
        this.device = device;
    }

    /** The device as long as no case has lost it. */
    BackendDevice device() {
        return device;
    }

    /** The outcome of a case; a lost device is a failure of the case that lost it. */
    Outcome run(OpCase c, long seed) {
        return run(OpRunner.name(c, seed), d -> OpRunner.run(d, c, seed));
    }

    /** As {@link #run(OpCase, long)}, rows alone and among others. */
    Outcome run(BatchInvariance.Case c) {
        return run(c.toString(), d -> BatchInvariance.run(d, c));
    }

    private Outcome run(String name, Function<BackendDevice, Outcome> body) {
        if (!over.isEmpty()) {
            return new Outcome.Failed(name + ": not run: " + over);
        }
        try {
            return body.apply(device);
        } catch (DeviceLostException e) {
            losses++;
            openAgain();
            return new Outcome.Failed(name + ": " + e.getMessage());
        }
    }

    private void openAgain() {
        if (losses == MOST_LOSSES) {
            over = id + " was lost " + losses + " times";
            return;
        }
        String left = "";
        try {
            device.close();
        } catch (RuntimeException e) { // it may open all the same
            left = ", nor did it close: " + e.getMessage();
        }
        try {
            device = opener.apply(id);
        } catch (RuntimeException e) {
            over = id + " was lost and does not open again: " + e.getMessage() + left;
        }
    }

    /** Closes the device; whether one that was given up closes is of no interest. */
    @Override
    public void close() {
        try {
            device.close();
        } catch (RuntimeException e) {
            if (over.isEmpty()) {
                throw e;
            }
        }
    }
}
