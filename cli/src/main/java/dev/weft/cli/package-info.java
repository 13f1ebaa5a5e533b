/** The {@code weft} command: one class per subcommand, results on standard output, everything else on standard error. */
package dev.weft.cli;
