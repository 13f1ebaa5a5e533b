package dev.weft.runtime;

import jdk.jfr.Category;
import jdk.jfr.DataAmount;
import jdk.jfr.Description;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;

/** A graph was compiled for a device, or refused: then {@code nodes} is 0. */
@Name("dev.weft.Compile")
@Label("Graph compilation")
@Category("Weft")
@StackTrace(false)
final class CompileEvent extends Event {
    @Label("Graph")
    String graph = "";

    @Label("Device")
    String device = "";

    @Label("Nodes")
    int nodes;

    @Label("Nodes on the Host")
    @Description("Nodes the device has no kernel for")
    int onHost;

    @Label("Weights")
    @DataAmount
    long weightBytes;

    @Label("Activations and Scratch Memory")
    @DataAmount
    long valueBytes;

    @Label("States")
    @DataAmount
    long stateBytes;
}
