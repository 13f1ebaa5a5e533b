package dev.weft.grammar;

import java.util.ArrayList;
import java.util.List;

/**
 * Reads the regular expressions of JSON Schema, the dialect of ECMAScript, as expressions over the bytes of a JSON string.
 * Supported are characters and their escapes, classes, groups, alternatives, repetitions, and {@code ^} and {@code $} at
 * the ends of an alternative of the whole pattern. Without them the pattern may match anywhere in the string. Greedy or
 * not makes no difference.
 */
final class PatternReader {
    private static final int DEEPEST = 64;
    private static final CharSet DIGIT = CharSet.of('0', '9');
    private static final CharSet WORD =
            DIGIT.or(CharSet.of('a', 'z')).or(CharSet.of('A', 'Z')).or(CharSet.of('_'));
    private static final CharSet LINE_END = CharSet.of("\n\r").or(CharSet.of(0x2028, 0x2029));
    private static final CharSet SPACE = CharSet.of("\t\u000B\f ")
            .or(LINE_END)
            .or(CharSet.of(0xA0))
            .or(CharSet.of(0x1680))
            .or(CharSet.of(0x2000, 0x200A))
            .or(CharSet.of(0x202F))
            .or(CharSet.of(0x205F))
            .or(CharSet.of(0x3000))
            .or(CharSet.of(0xFEFF));
    private static final Expr ANYTHING = new Expr.Repeat(JsonStrings.CANONICAL_CHARACTER, 0, Expr.UNBOUNDED);
    private static final String SYNTAX = "^$\\.*+?()[]{}|/-";
    private static final String NAMED = "tnvfr";
    private static final String NAMED_CHARACTERS = "\t\n\u000B\f\r";
    private static final int END = -1;

    private final String subject;
    private final int[] pattern;
    private int position;
    private int depth;

    private PatternReader(String pattern, String subject) {
        this.pattern = pattern.codePoints().toArray();
        this.subject = subject;
    }

    /**
     * The content of the strings that a pattern matches.
     *
     * @param subject names the pattern in messages
     * @throws SchemaException if it is wrong or needs something that is not supported
     */
    static Expr read(String pattern, String subject) {
        PatternReader reader = new PatternReader(pattern, subject);
        List<Expr> choices = new ArrayList<>();
        do {
            boolean atStart = reader.skip('^');
            Expr body = reader.sequence();
            boolean atEnd = reader.skip('$');
            choices.add(Expr.seq(atStart ? Expr.EMPTY : ANYTHING, body, atEnd ? Expr.EMPTY : ANYTHING));
        } while (reader.skip('|'));
        if (reader.peek() != END) {
            throw reader.unsupported("the end of an alternative");
        }
        return new Expr.Alt(choices);
    }

    private Expr sequence() {
        List<Expr> parts = new ArrayList<>();
        while (peek() != END && peek() != '|' && peek() != ')' && peek() != '$') {
            parts.add(repeated(atom()));
        }
        return new Expr.Seq(parts);
    }

    private Expr repeated(Expr part) {
        int min;
        int max;
        if (skip('*')) {
            min = 0;
            max = Expr.UNBOUNDED;
        } else if (skip('+')) {
            min = 1;
            max = Expr.UNBOUNDED;
        } else if (skip('?')) {
            min = 0;
            max = 1;
        } else if (skip('{')) {
            min = number();
            max = min;
            if (skip(',')) {
                max = peek() == '}' ? Expr.UNBOUNDED : number();
            }
            expect('}');
            if (max != Expr.UNBOUNDED && max < min) {
                throw wrong("found {" + min + "," + max + "}, expected ascending bounds");
            }
        } else {
            return part;
        }
        skip('?');
        return new Expr.Repeat(part, min, max);
    }

    private int number() {
        int value = 0;
        int start = position;
        while (DIGIT.ranges().getFirst().first() <= peek() && peek() <= '9') {
            value = 10 * value + next() - '0';
            if (value > Limits.STATES) {
                throw Limits.tooManyStates("repetitions in " + subject, Limits.STATES);
            }
        }
        if (position == start) {
            throw unsupported("a number");
        }
        return value;
    }

    private Expr atom() {
        return switch (peek()) {
            case '(' -> group();
            case '[' -> JsonStrings.oneOf(characterClass());
            case '.' -> {
                next();
                yield JsonStrings.oneOf(LINE_END.complement());
            }
            case '\\' -> JsonStrings.oneOf(escape());
            case '^', '*', '+', '?', '{', '}', ']' -> throw unsupported("a character, a class or a group");
            default -> JsonStrings.oneOf(CharSet.of(next()));
        };
    }

    private Expr group() {
        expect('(');
        if (++depth > DEEPEST) {
            throw wrong("found more than " + DEEPEST + " groups within each other, expected fewer");
        }
        if (skip('?')) {
            if (skip('<')) {
                if (peek() == '=' || peek() == '!') {
                    throw unsupported("a group without looking around");
                }
                while (peek() != END && next() != '>') {
                    // a name, of no use here
                }
            } else if (!skip(':')) {
                throw unsupported("a group without looking around");
            }
        }
        List<Expr> choices = new ArrayList<>();
        do {
            choices.add(sequence());
        } while (skip('|'));
        expect(')');
        depth--;
        return new Expr.Alt(choices);
    }

    private CharSet characterClass() {
        expect('[');
        boolean negated = skip('^');
        CharSet set = new CharSet(List.of());
        while (peek() != ']') {
            CharSet from = member();
            if (peek() == '-' && position + 1 < pattern.length && pattern[position + 1] != ']') {
                next();
                CharSet to = member();
                if (!isOne(from) || !isOne(to) || first(from) > first(to)) {
                    throw unsupported("a range from a character to a later one");
                }
                set = set.or(CharSet.of(first(from), first(to)));
            } else {
                set = set.or(from);
            }
        }
        expect(']');
        return negated ? set.complement() : set;
    }

    private CharSet member() {
        return switch (peek()) {
            case END -> throw unsupported("]");
            case '\\' -> escape();
            default -> CharSet.of(next());
        };
    }

    private static boolean isOne(CharSet set) {
        return set.ranges().size() == 1
                && set.ranges().getFirst().first() == set.ranges().getFirst().last();
    }

    private static int first(CharSet set) {
        return set.ranges().getFirst().first();
    }

    private CharSet escape() {
        expect('\\');
        int c = peek() == END ? END : next();
        int named = c == END ? -1 : NAMED.indexOf(c);
        if (named >= 0) {
            return CharSet.of(NAMED_CHARACTERS.charAt(named));
        }
        return switch (c) {
            case 'd' -> DIGIT;
            case 'D' -> DIGIT.complement();
            case 'w' -> WORD;
            case 'W' -> WORD.complement();
            case 's' -> SPACE;
            case 'S' -> SPACE.complement();
            case '0' -> CharSet.of(0);
            case 'x' -> character(hexadecimal(2));
            case 'u' -> character(peek() == '{' ? braced() : unit());
            default -> {
                if (c == END || SYNTAX.indexOf(c) < 0) {
                    position -= c == END ? 0 : 1;
                    throw unsupported("one of d D w W s S t n v f r 0 x u or a character of " + SYNTAX);
                }
                yield CharSet.of(c);
            }
        };
    }

    private CharSet character(int codePoint) {
        if (codePoint > Character.MAX_CODE_POINT
                || (codePoint >= Character.MIN_SURROGATE && codePoint <= Character.MAX_SURROGATE)) {
            throw wrong("found " + Integer.toHexString(codePoint) + ", expected a character");
        }
        return CharSet.of(codePoint);
    }

    /** A character of two units may be written as two escapes. */
    private int unit() {
        int high = hexadecimal(4);
        if (high >= Character.MIN_HIGH_SURROGATE && high <= Character.MAX_HIGH_SURROGATE && skip('\\')) {
            expect('u');
            int low = hexadecimal(4);
            return Character.isLowSurrogate((char) low) ? Character.toCodePoint((char) high, (char) low) : low;
        }
        return high;
    }

    private int braced() {
        expect('{');
        int value = 0;
        do {
            value = Math.min(value << 4 | hexadecimal(1), Character.MAX_CODE_POINT + 1);
        } while (peek() != '}');
        expect('}');
        return value;
    }

    private int hexadecimal(int digits) {
        int value = 0;
        for (int i = 0; i < digits; i++) {
            int digit = peek() == END ? -1 : Character.digit(peek(), 16);
            if (digit < 0) {
                throw unsupported("a hexadecimal digit");
            }
            next();
            value = value << 4 | digit;
        }
        return value;
    }

    private int peek() {
        return position < pattern.length ? pattern[position] : END;
    }

    private int next() {
        return pattern[position++];
    }

    private boolean skip(int character) {
        boolean there = peek() == character;
        if (there) {
            position++;
        }
        return there;
    }

    private void expect(int character) {
        if (!skip(character)) {
            throw unsupported("'" + (char) character + "'");
        }
    }

    private SchemaException unsupported(String expected) {
        String found = peek() == END ? "the end" : "'" + Character.toString(peek()) + "'";
        return wrong("found " + found + ", expected " + expected);
    }

    private SchemaException wrong(String message) {
        return new SchemaException(subject + ": at character " + position + ": " + message);
    }
}
