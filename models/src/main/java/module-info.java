/** Model files, tokenizers, DeepSeek-V4 as a graph, and what models cost. */
module dev.weft.models {
    requires transitive dev.weft;
    requires jdk.jfr;
    requires org.slf4j;
    requires tools.jackson.core;
    requires tools.jackson.databind;
    requires static org.jspecify;

    exports dev.weft.chat;
    exports dev.weft.generate;
    exports dev.weft.grammar;
    exports dev.weft.io;
    exports dev.weft.model;
    exports dev.weft.model.config;
    exports dev.weft.parallel;
    exports dev.weft.plan;
    exports dev.weft.text;
}
