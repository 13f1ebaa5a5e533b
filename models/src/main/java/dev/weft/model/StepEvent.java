package dev.weft.model;

import dev.weft.runtime.Device;
import java.util.List;
import jdk.jfr.Category;
import jdk.jfr.Description;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;

/** A step of a model: rows of one or more sequences ran through the backbone once. */
@Name("dev.weft.Step")
@Label("Model step")
@Category("Weft")
@StackTrace(false)
final class StepEvent extends Event {
    /** Asked, and used, while nobody records: a step allocates nothing then. */
    private static final StepEvent NONE = new StepEvent();

    @Label("Kind")
    @Description("decode if every sequence has one row; prefill if some has more: prompts in chunks, guesses to verify;"
            + " spread prefill if all ranks compute a part of one prompt; warm-up if nobody had asked for the tokens")
    String kind = "";

    @Label("Device")
    String device = "";

    @Label("Sequences")
    int sequences;

    @Label("Tokens")
    @Description("Rows of all sequences")
    int tokens;

    @Label("Logits")
    @Description("Rows whose logits were wanted")
    int logits;

    /** An event that has begun, if somebody records. */
    static StepEvent started() {
        if (!NONE.isEnabled()) {
            return NONE;
        }
        StepEvent event = new StepEvent();
        event.begin();
        return event;
    }

    /** An event of a step that is run for the sake of later ones. */
    static StepEvent startedWarmUp() {
        StepEvent event = started();
        if (event != NONE) {
            event.kind = "warm-up";
        }
        return event;
    }

    /** Records the event unless it is none. */
    void end(Device on, List<Feed> feeds) {
        end(on, feeds, false);
    }

    /** Records the event unless it is none. @param spread whether other ranks computed a part of the rows */
    void end(Device on, List<Feed> feeds, boolean spread) {
        if (this != NONE && shouldCommit()) {
            device = on.label();
            sequences = feeds.size();
            for (Feed f : feeds) {
                tokens += f.tokens().length;
                logits += f.wanted();
            }
            if (kind.isEmpty()) {
                kind = kind(spread);
            }
            commit();
        }
    }

    private String kind(boolean spread) {
        return spread ? "spread prefill" : tokens > sequences ? "prefill" : "decode";
    }
}
