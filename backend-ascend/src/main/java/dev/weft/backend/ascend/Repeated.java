package dev.weft.backend.ascend;

import dev.weft.backend.ascend.OpCaller.Kept;
import java.util.ArrayList;
import java.util.List;

/**
 * The calls of a sequence that runs call by call, ready to be made again with the same operands: without their first
 * phase where the executor could be kept, anew where not. On the device's thread.
 */
final class Repeated {
    private final OpCaller caller;
    private final List<Step> steps = new ArrayList<>();

    Repeated(OpCaller caller) {
        this.caller = caller;
    }

    private sealed interface Step {}

    private record Again(Kept kept) implements Step {}

    private record Anew(String function, Object[] arguments) implements Step {}

    /** Makes a call and remembers it. */
    void first(String function, Object[] arguments, AscendStream stream, Workspace workspace) {
        Kept kept = caller.keep(function, arguments, stream, workspace);
        steps.add(kept == null ? new Anew(function, arguments) : new Again(kept));
    }

    /** Makes all calls again. */
    void run(AscendStream stream, Workspace workspace) {
        for (Step step : steps) {
            switch (step) {
                case Again again -> caller.again(again.kept(), stream, workspace);
                case Anew anew -> caller.launch(anew.function(), anew.arguments(), stream, workspace);
            }
        }
    }

    void close() {
        for (Step step : steps) {
            if (step instanceof Again again) {
                caller.release(again.kept());
            }
        }
        steps.clear();
    }
}
