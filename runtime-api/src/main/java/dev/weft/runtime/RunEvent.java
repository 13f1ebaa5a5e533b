package dev.weft.runtime;

import jdk.jfr.Category;
import jdk.jfr.Description;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;

/** One run of a compiled graph, from its inputs to the end of its last kernel. */
@Name("dev.weft.Run")
@Label("Graph run")
@Category("Weft")
@StackTrace(false)
final class RunEvent extends Event {
    /** Asked before one is made: a run that nobody records allocates nothing. */
    static final RunEvent NONE = new RunEvent();

    @Label("Graph")
    String graph = "";

    @Label("Device")
    String device = "";

    @Label("Extents")
    @Description("What the named dimensions were bound to")
    String extents = "";
}
