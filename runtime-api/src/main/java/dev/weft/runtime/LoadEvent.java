package dev.weft.runtime;

import jdk.jfr.Category;
import jdk.jfr.DataAmount;
import jdk.jfr.Description;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;

/** Weights of one or more graphs were brought to a device. */
@Name("dev.weft.Load")
@Label("Weight loading")
@Category("Weft")
@StackTrace(false)
final class LoadEvent extends Event {
    @Label("Device")
    String device = "";

    @Label("Graphs")
    String graphs = "";

    @Label("Weights")
    int weights;

    @Label("Bytes")
    @Description("Bytes read now; weights that are read on demand do not count")
    @DataAmount
    long bytes;

    @Label("On Demand")
    @Description("Whether some weights are read from their files when a kernel needs them")
    boolean onDemand;
}
