package dev.weft.model;

import dev.weft.RequestException;
import dev.weft.model.config.LayerKind;
import dev.weft.model.config.ModelConfig;
import java.util.ArrayList;
import java.util.List;

/**
 * Layers of a model by themselves, one after another, and the rows of a step through them.
 *
 * @param kinds kinds of the layers; one that occurs again is another layer of the model
 * @param sequences sequences of a step
 * @param tokens rows of each in a step
 * @param context longest sequence, those rows included
 */
public record LayerStack(List<LayerKind> kinds, int sequences, int tokens, int context) {
    /**
     * @throws RequestException without layers, sequences or tokens, if the context is shorter than the step, or if its pages
     *     or its rows are more than indices can number
     */
    public LayerStack {
        kinds = List.copyOf(kinds);
        if (kinds.isEmpty() || sequences < 1 || tokens < 1 || context < tokens) {
            throw new RequestException("layers: found kinds=" + kinds + " sequences=" + sequences + " tokens=" + tokens
                    + " context=" + context + ", expected 1 or more of each, and a context that holds the tokens");
        }
        long pages = (long) sequences * Math.ceilDiv(context, LoadOptions.PAGE_TOKENS);
        long most = Math.max((long) sequences * tokens, pages);
        if (most > Integer.MAX_VALUE) {
            throw new RequestException("layers: found sequences=" + sequences + " tokens=" + tokens + " context="
                    + context + ", which are " + most + " rows or pages of a cache, expected at most "
                    + Integer.MAX_VALUE);
        }
    }

    /** One layer, one sequence. */
    public static LayerStack of(LayerKind kind, int tokens, int context) {
        return new LayerStack(List.of(kind), 1, tokens, context);
    }

    /** Rows of a step. */
    public int rows() {
        return sequences * tokens;
    }

    LoadOptions options() {
        return LoadOptions.defaults().maxContext(context).maxTokens(rows()).maxSequences(sequences);
    }

    /**
     * Which layers of the model these are: of every kind the first ones whose experts are chosen by score.
     *
     * @throws RequestException if the model has too few
     */
    List<Integer> layers(ModelConfig config) {
        List<Integer> found = new ArrayList<>();
        for (LayerKind kind : kinds) {
            int layer = 0;
            while (layer < config.numHiddenLayers()
                    && (config.kind(layer) != kind || config.isHashRouted(layer) || found.contains(layer))) {
                layer++;
            }
            if (layer == config.numHiddenLayers()) {
                throw new RequestException("layer: found " + kinds + ", expected no more " + kind
                        + " layers than the model has whose experts are chosen by score");
            }
            found.add(layer);
        }
        return found;
    }
}
