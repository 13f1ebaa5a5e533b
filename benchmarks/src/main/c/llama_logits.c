// Writes the logits that llama.cpp computes for given token ids, for comparison with `weft logits`:
//
//     llama_logits MODEL.gguf IDS SPLIT OUT.f32
//
// IDS is a file with a JSON array of ids, or ids separated by blanks. The first SPLIT tokens run in one batch, the
// others one by one. OUT gets one row of F32 per token, nothing else. Build with the headers and libraries of an
// installed llama.cpp: cc llama_logits.c -lllama -lggml -lggml-base
#include <llama.h>
#include <stdio.h>
#include <stdlib.h>

#define MAX_TOKENS 8192

static int read_ids(const char *path, llama_token *ids) {
    FILE *file = fopen(path, "r");
    int n = 0;
    if (file == NULL) {
        return 0;
    }
    while (n < MAX_TOKENS && fscanf(file, "%*[^0-9]") != EOF && fscanf(file, "%d", &ids[n]) == 1) {
        n++;
    }
    fclose(file);
    return n;
}

static int run(struct llama_context *context, const llama_token *ids, int n, int split, int vocabulary, FILE *out) {
    struct llama_batch batch = llama_batch_init(split, 0, 1);
    int at = 0;
    while (at < n) {
        batch.n_tokens = at == 0 ? split : 1;
        for (int i = 0; i < batch.n_tokens; i++) {
            batch.token[i] = ids[at + i];
            batch.pos[i] = at + i;
            batch.n_seq_id[i] = 1;
            batch.seq_id[i][0] = 0;
            batch.logits[i] = 1;
        }
        if (llama_decode(context, batch) != 0) {
            break;
        }
        for (int i = 0; i < batch.n_tokens; i++) {
            fwrite(llama_get_logits_ith(context, i), sizeof(float), vocabulary, out);
        }
        at += batch.n_tokens;
    }
    llama_batch_free(batch);
    return at == n;
}

int main(int argc, char **argv) {
    static llama_token ids[MAX_TOKENS];
    if (argc != 5) {
        fprintf(stderr, "usage: llama_logits MODEL.gguf IDS SPLIT OUT.f32\n");
        return 2;
    }
    int n = read_ids(argv[2], ids);
    int split = atoi(argv[3]);
    if (split < 1 || split > n) {
        fprintf(stderr, "SPLIT: found %d, expected 1 to %d, the number of ids in %s\n", split, n, argv[2]);
        return 2;
    }
    llama_backend_init();
    struct llama_model *model = llama_model_load_from_file(argv[1], llama_model_default_params());
    if (model == NULL) {
        return 1;
    }
    struct llama_context_params params = llama_context_default_params();
    params.n_ctx = n;
    params.n_batch = split;
    params.n_ubatch = split;
    struct llama_context *context = llama_init_from_model(model, params);
    FILE *out = fopen(argv[4], "wb");
    if (context == NULL || out == NULL) {
        fprintf(stderr, "no context, or %s cannot be written\n", argv[4]);
        return 1;
    }
    int vocabulary = llama_vocab_n_tokens(llama_model_get_vocab(model));
    int complete = run(context, ids, n, split, vocabulary, out);
    fclose(out);
    llama_free(context);
    llama_model_free(model);
    return complete ? 0 : 1;
}
