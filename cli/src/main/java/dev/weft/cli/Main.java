package dev.weft.cli;

import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.function.Function;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** The {@code weft} command. */
@Command(
        name = "weft",
        description = "DeepSeek-V4 inference on CPU, CUDA and Ascend behind one graph API.",
        versionProvider = Version.class,
        synopsisSubcommandLabel = "COMMAND",
        exitCodeListHeading = "%nExit codes:%n",
        exitCodeList = {
            "0:done, every check passed",
            "1:a check failed or something went wrong",
            "2:wrong command line",
            "3:ranks could not work together"
        })
public final class Main implements Runnable {
    /** Constructors, so that starting one command loads none of the others. */
    private static final Map<String, Function<Terminal, Object>> COMMANDS = commands();

    @Spec
    private CommandSpec spec;

    @Option(
            names = {"-h", "--help"},
            usageHelp = true,
            description = "Show this help.")
    private boolean help;

    @Option(
            names = {"-V", "--version"},
            versionHelp = true,
            description = "Show the version.")
    private boolean version;

    private Main() {}

    private static Map<String, Function<Terminal, Object>> commands() {
        Map<String, Function<Terminal, Object>> all = new LinkedHashMap<>();
        all.put("demo", DemoCommand::new);
        all.put("devices", DevicesCommand::new);
        all.put("inspect", InspectCommand::new);
        all.put("generate", GenerateCommand::new);
        all.put("chat", ChatCommand::new);
        all.put("logits", LogitsCommand::new);
        all.put("prompt", PromptCommand::new);
        all.put("tokenize", TokenizeCommand::new);
        all.put("synth", SynthCommand::new);
        all.put("verify", VerifyCommand::new);
        all.put("compare", CompareCommand::new);
        all.put("bench", BenchCommand::create);
        all.put("trace", TraceCommand::new);
        all.put("plan", PlanCommand::new);
        all.put("ranks", RanksCommand::new);
        all.put("compile", CompileCommand::new);
        return all;
    }

    /** Runs the command and ends the process with its exit code. */
    public static void main(String[] args) {
        System.exit(run(Terminal.system(), args));
    }

    /** Runs a command in this process. @return its exit code, see {@link ExitCode} */
    static int run(Terminal terminal, String... args) {
        Locale.setDefault(Locale.ROOT); // one form of numbers everywhere, whatever the machine's locale
        Errors errors = new Errors(terminal);
        CommandLine weft = new CommandLine(new Main());
        COMMANDS.forEach((name, create) -> {
            // reading the options of all commands costs more than most commands take: do it for help only
            if (args.length == 0 || !COMMANDS.containsKey(args[0]) || name.equals(args[0])) {
                weft.addSubcommand(name, create.apply(terminal));
            }
        });
        int code = execute(weft, terminal, errors, args);
        terminal.out().flush();
        terminal.err().flush();
        return code;
    }

    private static int execute(CommandLine weft, Terminal terminal, Errors errors, String... args) {
        try {
            return weft.setOut(Errors.writer(terminal.out()))
                    .setErr(Errors.writer(terminal.err()))
                    .setParameterExceptionHandler(errors)
                    .setExecutionExceptionHandler(errors)
                    .execute(args);
        } catch (OutOfMemoryError e) {
            terminal.note("weft: the Java heap is too small: %s; raise it with WEFT_JAVA_OPTS=-Xmx%n", e.getMessage());
            return ExitCode.FAILED;
        }
    }

    /** Called without a subcommand. */
    @Override
    public void run() {
        throw new ParameterException(spec.commandLine(), "a command is missing");
    }
}
