package dev.weft.runtime;

import jdk.jfr.Category;
import jdk.jfr.Description;
import jdk.jfr.Enabled;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;
import jdk.jfr.Timespan;

/**
 * One node of a running graph. While the event is enabled a run waits after every node, because otherwise nobody could tell
 * when one ends; so it is off unless asked for.
 */
@Name("dev.weft.Kernel")
@Label("Kernel")
@Description("One node of a running graph; while enabled, runs wait after every node")
@Category("Weft")
@Enabled(false)
@StackTrace(false)
final class KernelEvent extends Event {
    /** Asked whether anybody records. */
    static final KernelEvent NONE = new KernelEvent();

    @Label("Graph")
    String graph = "";

    @Label("Device")
    String device = "";

    @Label("Node")
    @Description("Operator, and the part of the model it belongs to")
    String node = "";

    @Label("Kernel")
    String kernel = "";

    @Label("Device Time")
    @Description("By the device's own clock; 0 if it has none, then the event's duration is the time")
    @Timespan(Timespan.NANOSECONDS)
    long deviceTime;
}
