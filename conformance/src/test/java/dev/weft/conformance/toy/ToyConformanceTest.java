package dev.weft.conformance.toy;

import dev.weft.conformance.BackendConformance;
import dev.weft.spi.Backends;
import java.util.List;

/** The toy accelerator passes the operator suite like any other backend: own addresses, streams and weight layout. */
class ToyConformanceTest extends BackendConformance {
    @Override
    protected String device() {
        return "toy:0";
    }

    @Override
    protected Backends backends() {
        return Backends.of(config(), List.of(new ToyProvider(new ToyFaults().delays(0))));
    }
}
