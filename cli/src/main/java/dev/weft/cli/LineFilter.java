package dev.weft.cli;

import dev.weft.RequestException;
import dev.weft.WeftException;
import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;

/**
 * Answers JSON values, one a line, with JSON values, one a line. A line that cannot be answered gives
 * {@code {"error": "..."}} and the stream goes on; a blank line gives nothing. Each answer is written at once, so that a
 * program may talk with the filter through pipes.
 */
final class LineFilter {
    private static final int LONGEST_LINE = 1 << 26;

    private final Terminal terminal;

    LineFilter(Terminal terminal) {
        this.terminal = terminal;
    }

    /** Reads to the end of the input. @param answer from a line of JSON to a line of JSON */
    void run(UnaryOperator<String> answer) throws IOException {
        InputStream in = new BufferedInputStream(terminal.in(), 1 << 16);
        ByteArrayOutputStream line = new ByteArrayOutputStream();
        boolean more = true;
        while (more && !terminal.out().checkError()) {
            line.reset();
            long length = 0;
            int b = in.read();
            while (b >= 0 && b != '\n') {
                if (length++ < LONGEST_LINE) {
                    line.write(b);
                }
                b = in.read();
            }
            more = b >= 0;
            @Nullable
            String written = length > LONGEST_LINE
                    ? error("line: found " + length + " bytes, expected at most " + LONGEST_LINE)
                    : answered(line.toByteArray(), answer);
            if (written != null) {
                terminal.stream(written + "\n");
            }
        }
    }

    private static @Nullable String answered(byte[] line, UnaryOperator<String> answer) {
        try {
            String text = StandardCharsets.UTF_8
                    .newDecoder()
                    .onMalformedInput(CodingErrorAction.REPORT)
                    .onUnmappableCharacter(CodingErrorAction.REPORT)
                    .decode(ByteBuffer.wrap(line))
                    .toString();
            return text.isBlank() ? null : encodable(answer.apply(text));
        } catch (CharacterCodingException e) {
            return error("line: found bytes that are not UTF-8, expected a JSON value");
        } catch (WeftException e) {
            return encodable(error(e.getMessage()));
        }
    }

    private static String error(String message) {
        return Json.object().put("error", message).toString();
    }

    /** JSON may contain halves of characters; UTF-8 may not, so they are written as escapes. */
    private static String encodable(String json) {
        StringBuilder escaped = null;
        for (int i = 0; i < json.length(); i++) {
            int c = json.codePointAt(i);
            boolean half = c >= Character.MIN_SURROGATE && c <= Character.MAX_SURROGATE;
            if (half && escaped == null) {
                escaped = new StringBuilder(json.substring(0, i));
            }
            if (escaped != null) {
                escaped.append(half ? String.format("\\u%04x", c) : Character.toString(c));
            }
            i += Character.charCount(c) - 1;
        }
        return escaped == null ? json : escaped.toString();
    }

    /** For answers that do not fit the question. */
    static RequestException wrong(String found, String expected) {
        return new RequestException("line: found " + found + ", expected " + expected);
    }
}
