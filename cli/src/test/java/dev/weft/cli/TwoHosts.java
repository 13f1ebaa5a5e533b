package dev.weft.cli;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/**
 * Two hosts on one machine: two network namespaces, joined by one link for data and another for what launchers say to each
 * other, and a host name in each. Needs root and Linux.
 */
final class TwoHosts implements AutoCloseable {
    /** An MPI launcher on the first host that starts a rank on each. */
    enum Launcher {
        OPEN_MPI("mpirun.openmpi"),
        MPICH("mpirun.mpich");

        private final String program;

        Launcher(String program) {
            this.program = program;
        }
    }

    /** What launchers start on the other host instead of ssh: {@code [-OPTION...] HOST COMMAND...}. */
    private static final String REMOTE =
            """
            while [ "${1#-}" != "$1" ]; do shift; done
            shift
            exec ip netns exec %s unshare --uts sh -c 'hostname weft-b; exec sh -c "$0"' "$*"
            """;

    private static final String LOCAL = "hostname weft-a; exec \"$@\"";
    private static final String DATA = "weft-data";
    private static final String CONTROL = "weft-control";

    private final List<String> names = Stream.of("weft-a-", "weft-b-")
            .map(name -> name + ProcessHandle.current().pid())
            .toList();
    private final Path remote;

    private TwoHosts(Path folder) throws IOException {
        String script = "#!/bin/sh%n".formatted() + REMOTE.formatted(names.get(1));
        remote = Files.writeString(folder.resolve("remote.sh"), script);
        remote.toFile().setExecutable(true);
    }

    /** Skips the test where namespaces cannot be made. */
    static TwoHosts open(Path folder) throws IOException, InterruptedException {
        TwoHosts hosts = new TwoHosts(folder);
        try {
            hosts.up();
            return hosts;
        } catch (IOException e) {
            hosts.close();
            assumeTrue(false, "two network namespaces, which need root and iproute2: " + e.getMessage());
            throw e;
        }
    }

    private void up() throws IOException, InterruptedException {
        String a = names.get(0);
        String b = names.get(1);
        ip("netns add " + a);
        ip("netns add " + b);
        ip("-n " + a + " link set lo up");
        ip("-n " + b + " link set lo up");
        ip("-n " + a + " link add " + DATA + " type veth peer name " + DATA + " netns " + b);
        ip("-n " + a + " link add " + CONTROL + " type veth peer name " + CONTROL + " netns " + b);
        for (int host = 0; host < names.size(); host++) {
            for (String link : List.of(DATA, CONTROL)) {
                ip("-n " + names.get(host) + " addr add " + address(link, host) + "/24 dev " + link);
                ip("-n " + names.get(host) + " link set " + link + " up");
            }
        }
        // the kernel takes up to a second, and UCX leaves out what is not up yet
        for (String name : names) {
            for (String link : List.of(DATA, CONTROL)) {
                while (!ip("-n " + name + " link show dev " + link).contains("state UP")) {
                    Thread.sleep(20);
                }
            }
        }
    }

    private static String address(String link, int host) {
        return (link.equals(DATA) ? "10.77.1." : "10.77.2.") + (host + 1);
    }

    private static String ip(String arguments) throws IOException, InterruptedException {
        List<String> command = new ArrayList<>(List.of("ip"));
        command.addAll(List.of(arguments.split(" ")));
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
        if (process.waitFor() != 0) {
            throw new IOException(String.join(" ", command) + ": " + said);
        }
        return said;
    }

    /** The command that starts a rank on each host; data go by their own link. */
    List<String> launch(Launcher launcher) {
        MpiLaunch.requireInstalled(launcher.program);
        List<String> command = new ArrayList<>(List.of("ip", "netns", "exec", names.getFirst()));
        command.addAll(List.of("unshare", "--uts", "sh", "-c", LOCAL, "sh"));
        String hosts = address(CONTROL, 0) + "," + address(CONTROL, 1);
        command.addAll(
                switch (launcher) {
                    case OPEN_MPI ->
                        List.of(
                                launcher.program,
                                "--allow-run-as-root",
                                "--host",
                                hosts,
                                "--map-by",
                                "node",
                                "-mca",
                                "plm_rsh_agent",
                                remote.toString(),
                                "-mca",
                                "btl",
                                "tcp,self",
                                "-mca",
                                "btl_tcp_if_include",
                                DATA,
                                "-mca",
                                "oob_tcp_if_include",
                                CONTROL);
                    // UCX takes two names of one machine for one host, whose memory can be shared
                    case MPICH ->
                        List.of(
                                "env",
                                "UCX_TLS=^sm",
                                "UCX_NET_DEVICES=" + DATA,
                                launcher.program,
                                "-launcher",
                                "ssh",
                                "-launcher-exec",
                                remote.toString(),
                                "-iface",
                                CONTROL,
                                "-hosts",
                                hosts,
                                "-ppn",
                                "1");
                });
        command.addAll(List.of("-n", "2"));
        return command;
    }

    /** No byte arrives by the data link any more, and nobody is told. */
    void cut() throws IOException, InterruptedException {
        ip("-n " + names.getFirst() + " link set " + DATA + " down");
    }

    /** Command lines of all that runs on the hosts. */
    List<String> running() throws IOException, InterruptedException {
        List<String> all = new ArrayList<>();
        for (String name : names) {
            for (String pid : ip("netns pids " + name).lines().toList()) {
                all.add(ProcessHandle.of(Long.parseLong(pid))
                        .flatMap(p -> p.info().commandLine())
                        .orElse(pid));
            }
        }
        return all;
    }

    /** Ends what runs there. */
    @Override
    public void close() throws InterruptedException {
        for (String name : names) {
            try {
                for (String pid : ip("netns pids " + name).lines().toList()) {
                    ProcessHandle.of(Long.parseLong(pid)).ifPresent(ProcessHandle::destroyForcibly);
                }
                ip("netns del " + name);
            } catch (IOException e) {
                // it was not made
            }
        }
    }
}
