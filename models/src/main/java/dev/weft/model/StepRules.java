package dev.weft.model;

import dev.weft.RequestException;
import java.util.List;

/** What a model can be asked to do: refusals that need no look at its states. */
final class StepRules {
    private final LoadOptions options;
    private final int vocabulary;

    StepRules(LoadOptions options, int vocabulary) {
        this.options = options;
        this.vocabulary = vocabulary;
    }

    /** Refuses a step. @param most tokens that it may have */
    void check(DeepSeekV4 model, List<Feed> feeds, int most) {
        if (feeds.isEmpty()) {
            throw new RequestException("step: found no feed, expected one or more");
        }
        int total = 0;
        for (int i = 0; i < feeds.size(); i++) {
            Feed f = feeds.get(i);
            f.session().requireOpen();
            if (f.session().model() != model) {
                throw new RequestException("step: feed " + i + " names a session of another model");
            }
            for (int j = 0; j < i; j++) {
                if (feeds.get(j).session() == f.session()) {
                    throw new RequestException("step: feeds " + j + " and " + i + " name the same session");
                }
            }
            check(f.session(), f.tokens());
            total += f.tokens().length;
        }
        if (total > most) {
            throw new RequestException("step: found " + total + " tokens, expected at most " + most
                    + "; split them over steps or load with a larger maxTokens");
        }
    }

    /** Refuses tokens that a session is to append, in one step or several. */
    void check(Session session, int[] ids) {
        if (ids.length == 0) {
            throw new RequestException("tokens: found none, expected one or more");
        }
        if (ids.length > options.maxContext() - session.position()) {
            throw new RequestException("tokens: position " + session.position() + " + " + ids.length
                    + " tokens exceeds the context of " + options.maxContext() + "; load with a larger maxContext");
        }
        for (int id : ids) {
            check("tokens", id);
        }
    }

    /** Refuses an id outside the vocabulary. */
    void check(String subject, int id) {
        if (id < 0 || id >= vocabulary) {
            throw new RequestException(subject + ": found id " + id + ", expected 0 to " + (vocabulary - 1));
        }
    }
}
