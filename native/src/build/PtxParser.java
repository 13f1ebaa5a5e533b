import java.util.ArrayList;
import java.util.List;

/** Reads what nvcc writes of PTX: variables of modules, and entries with one parameter. */
final class PtxParser {
    private final PtxLexer in;
    private final List<PtxModule.Variable> variables = new ArrayList<>();
    private final List<PtxModule.Entry> entries = new ArrayList<>();

    private PtxParser(List<String> lines) {
        in = new PtxLexer(lines);
    }

    static PtxModule parse(List<String> lines) {
        PtxParser parser = new PtxParser(lines);
        while (!parser.in.isAtEnd()) {
            parser.top();
        }
        return new PtxModule(parser.variables, parser.entries);
    }

    private void top() {
        String word = in.peek().text();
        switch (word) {
            case ".version", ".target", ".address_size" -> {
                in.next();
                in.next();
            }
            case ".extern", ".visible", ".weak", ".shared", ".global", ".entry" -> {
                boolean isExternal = false;
                while (List.of(".extern", ".visible", ".weak").contains(in.peek().text())) {
                    isExternal |= in.next().equals(".extern");
                }
                if (in.accept(".entry")) {
                    entries.add(entry());
                } else {
                    variables.add(variable(isExternal));
                }
            }
            default -> throw in.error("found " + word + " where an entry or a variable may begin");
        }
    }

    /** From the state space to the semicolon. */
    private PtxModule.Variable variable(boolean isExternal) {
        String space = in.next().substring(1);
        if (!List.of("shared", "global").contains(space)) {
            throw in.error("variables of ." + space + " are not translated");
        }
        int alignment = in.accept(".align") ? in.number() : 0;
        int element = bytes(in.next().substring(1));
        String name = in.next();
        int count = 1;
        if (in.accept("[")) {
            count = in.peek().text().equals("]") ? 0 : in.number();
            in.expect("]");
        }
        if (!in.accept(";")) {
            throw in.error("variables with values are not translated");
        }
        return new PtxModule.Variable(space, Math.max(alignment, element), element * count, name, isExternal);
    }

    private int bytes(String type) {
        try {
            return Integer.parseInt(type.substring(1)) / 8;
        } catch (NumberFormatException e) {
            throw in.error("found type ." + type);
        }
    }

    private PtxModule.Entry entry() {
        String name = in.next();
        in.expect("(");
        in.expect(".param");
        in.expect(".align");
        in.number();
        in.expect(".b8");
        in.expect(name + "_param_0");
        in.expect("[");
        int parameterBytes = in.number();
        in.expect("]");
        in.expect(")");
        int threads = 1024;
        while (!in.accept("{")) {
            switch (in.next()) {
                case ".maxntid" -> {
                    threads = in.number();
                    while (in.accept(",")) {
                        threads *= in.number();
                    }
                }
                case ".minnctapersm" -> in.number();
                default -> throw in.error("a directive of the entry is not known");
            }
        }
        List<PtxModule.Statement> body = new ArrayList<>();
        for (int depth = 1; depth > 0; ) {
            if (in.accept("{")) {
                depth++;
                body.add(new PtxModule.Brace(true));
            } else if (in.accept("}")) {
                if (--depth > 0) {
                    body.add(new PtxModule.Brace(false));
                }
            } else {
                statement(body);
            }
        }
        return new PtxModule.Entry(name, parameterBytes, threads, body);
    }

    private void statement(List<PtxModule.Statement> body) {
        String word = in.peek().text();
        if (word.equals(".reg")) {
            in.next();
            registers(body);
        } else if (word.equals(".shared")) {
            body.add(new PtxModule.Demoted(variable(false)));
        } else if (in.accept(".pragma")) {
            in.next();
            in.expect(";");
        } else if (word.startsWith("$")) {
            in.next();
            in.expect(":");
            body.add(new PtxModule.Label(word));
        } else {
            body.add(instruction());
        }
    }

    private void registers(List<PtxModule.Statement> body) {
        String type = in.next().substring(1);
        do {
            String name = in.next();
            int count = -1;
            if (in.accept("<")) {
                count = in.number();
                in.expect(">");
            }
            body.add(new PtxModule.Registers(type, name, count));
        } while (in.accept(","));
        in.expect(";");
    }

    private PtxModule.Instruction instruction() {
        int line = in.peek().line();
        String guard = "";
        if (in.accept("@")) {
            guard = (in.accept("!") ? "!" : "") + in.next();
        }
        List<String> opcode = List.of(in.next().split("\\."));
        List<PtxModule.Operand> operands = new ArrayList<>();
        while (!in.accept(";")) {
            operands.add(operand());
            if (!in.accept(",") && !in.peek().text().equals(";")) {
                throw in.error("found " + in.peek().text() + " within " + String.join(".", opcode));
            }
        }
        return new PtxModule.Instruction(line, guard, opcode, operands);
    }

    private PtxModule.Operand operand() {
        if (in.accept("{")) {
            List<PtxModule.Operand> parts = new ArrayList<>();
            do {
                parts.add(operand());
            } while (in.accept(","));
            in.expect("}");
            return new PtxModule.Group(parts);
        }
        if (in.accept("[")) {
            PtxModule.Operand base = operand();
            long offset = in.accept("+") ? integer() : 0;
            in.expect("]");
            return new PtxModule.Address(base, offset);
        }
        if (in.accept("-")) {
            return new PtxModule.Number("-" + in.next());
        }
        String word = in.next();
        if (Character.isDigit(word.charAt(0))) {
            return new PtxModule.Number(word);
        }
        PtxModule.Name name = new PtxModule.Name(word);
        return in.accept("|") ? new PtxModule.Pair(name, new PtxModule.Name(in.next())) : name;
    }

    private long integer() {
        return in.accept("-") ? -in.number() : in.number();
    }
}
