/** Programs that use Weft as a dependency. */
module example {
    requires dev.weft.conformance;
    requires dev.weft.models;
}
