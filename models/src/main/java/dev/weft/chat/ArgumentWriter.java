package dev.weft.chat;

import java.util.HashSet;
import java.util.Set;
import java.util.function.Consumer;

/**
 * Turns the parameters of a call into a JSON object that is complete whenever it is closed. Strings pass through as they
 * arrive; a value marked as JSON is held until it ends, because only then it shows whether it is JSON.
 */
final class ArgumentWriter {
    private final Consumer<String> json;
    private final Set<String> names = new HashSet<>();
    private final StringBuilder held = new StringBuilder();
    private Parameter parameter = Parameter.NONE;
    private String name = "";

    private enum Parameter {
        NONE,
        STRING,
        JSON,
        /** A name that was there before: the first value counts. */
        REPEATED
    }

    ArgumentWriter(Consumer<String> json) {
        this.json = json;
        json.accept("{");
    }

    void begin(String parameterName, boolean isString) {
        name = parameterName;
        if (names.contains(name)) {
            parameter = Parameter.REPEATED;
        } else if (isString) {
            parameter = Parameter.STRING;
            json.accept(key() + '"');
        } else {
            parameter = Parameter.JSON;
        }
    }

    private String key() {
        String separator = names.isEmpty() ? "" : ", ";
        names.add(name);
        return separator + PythonJson.quote(name) + ": ";
    }

    void append(String text) {
        if (parameter == Parameter.STRING) {
            StringBuilder escaped = new StringBuilder();
            PythonJson.escape(text, escaped);
            json.accept(escaped.toString());
        } else if (parameter == Parameter.JSON) {
            held.append(text);
        }
    }

    /** The parameter is complete. */
    void end() {
        if (parameter == Parameter.STRING) {
            json.accept("\"");
        } else if (parameter == Parameter.JSON) {
            String value = held.toString();
            json.accept(key() + (PythonJson.isValue(value) ? value : PythonJson.quote(value)));
        }
        held.setLength(0);
        parameter = Parameter.NONE;
    }

    /** The call is over, if need be within a parameter: half a string stays, half a JSON value does not. */
    void close() {
        if (parameter == Parameter.STRING) {
            json.accept("\"");
        }
        json.accept("}");
    }
}
