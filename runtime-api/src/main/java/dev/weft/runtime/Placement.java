package dev.weft.runtime;

import java.util.List;

/**
 * Which node runs where, by which kernel, and what the graph needs.
 *
 * @param graph name of the graph
 * @param device device and its description
 * @param rows one per node
 * @param weightBytes bytes of the weights on the device
 * @param valueBytes bytes planned for values between nodes
 * @param workspaceBytes bytes of the largest workspace
 * @param stateBytes bytes of the states
 */
public record Placement(
        String graph,
        String device,
        List<Row> rows,
        long weightBytes,
        long valueBytes,
        long workspaceBytes,
        long stateBytes) {
    public Placement {
        rows = List.copyOf(rows);
    }

    /**
     * One node.
     *
     * @param index position
     * @param node label
     * @param kernel kernel name
     * @param onHost whether it fell back to the host
     * @param note what differs from a native kernel, or empty
     * @param last position of the last of the nodes that the kernel computes together, whose row stands for all; its own if
     *     it is alone
     */
    public record Row(int index, String node, String kernel, boolean onHost, String note, int last) {
        Row(int index, String node, String kernel, boolean onHost, String note) {
            this(index, node, kernel, onHost, note, index);
        }

        /** Whether the kernel is told of by the row of another node, which it computes as well. */
        public boolean isJoined() {
            return last != index;
        }

        private String remark() {
            return isJoined() ? note + (note.isEmpty() ? "" : "; ") + "with node " + last : note;
        }
    }

    /** Nodes that fell back to the host. */
    public long hostNodes() {
        return rows.stream().filter(Row::onHost).count();
    }

    /** The table, one line per node. */
    public String table() {
        return render(rows);
    }

    /** Kernels that run: fewer than nodes where one computes several. */
    public long kernels() {
        return rows.stream().filter(r -> !r.isJoined()).count();
    }

    /** The table with one line per different kernel and how often it runs. */
    public String summary() {
        var counts = new java.util.LinkedHashMap<String, Integer>();
        rows.stream()
                .filter(r -> !r.isJoined())
                .forEach(r -> counts.merge(r.kernel() + (r.note().isEmpty() ? "" : "  " + r.note()), 1, Integer::sum));
        StringBuilder s = new StringBuilder(header());
        counts.forEach((kernel, n) -> s.append(String.format("%6d x %s%n", n, kernel)));
        return s.toString();
    }

    private String header() {
        return String.format(
                "graph %s on %s, %d nodes, %d kernels, %d on host, weights %s, values %s, workspace %s, states %s%n",
                graph,
                device,
                rows.size(),
                kernels(),
                hostNodes(),
                mib(weightBytes),
                mib(valueBytes),
                mib(workspaceBytes),
                mib(stateBytes));
    }

    private String render(List<Row> list) {
        int label = list.stream().mapToInt(r -> r.node().length()).max().orElse(4);
        int kernel = list.stream().mapToInt(r -> r.kernel().length()).max().orElse(6);
        String format = "%4d  %-" + label + "s  %-" + kernel + "s  %s%n";
        StringBuilder s = new StringBuilder(header());
        s.append(String.format(format.replace("%4d", "%4s"), "#", "node", "kernel", "note"));
        list.forEach(r -> s.append(String.format(format, r.index(), r.node(), r.kernel(), r.remark())));
        return s.toString();
    }

    private static String mib(long bytes) {
        return String.format(java.util.Locale.ROOT, "%.1f MiB", bytes / 1048576.0);
    }
}
