/** Groups of processes that work on one model: who started them, how they talk, and how all of them end. */
module dev.weft.ranks {
    requires transitive dev.weft;
    requires org.slf4j;
    requires tools.jackson.core;
    requires tools.jackson.databind;
    requires static org.jspecify;

    exports dev.weft.ranks;
}
