package dev.weft.cli;

import java.util.Locale;

/** Writes an SVG document that stands alone: no scripts, fonts or files from elsewhere. */
final class Svg {
    private final StringBuilder out = new StringBuilder();

    /**
     * A document.
     *
     * @param title what it shows, for those who cannot see it
     * @param style its style sheet
     */
    Svg(int width, int height, String title, String style) {
        out.append("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
        open(
                "svg",
                "xmlns",
                "http://www.w3.org/2000/svg",
                "viewBox",
                "0 0 " + width + " " + height,
                "width",
                width,
                "height",
                height,
                "role",
                "img");
        open("title").words(title).close("title");
        open("style").words(style).close("style");
    }

    private Svg() {}

    /**
     * A drawing within an HTML page, which brings the style sheet.
     *
     * @param title what it shows, for those who cannot see it
     */
    static Svg inline(int width, int height, String title) {
        return new Svg()
                .open(
                        "svg",
                        "viewBox",
                        "0 0 " + width + " " + height,
                        "width",
                        width,
                        "height",
                        height,
                        "role",
                        "img",
                        "aria-label",
                        title);
    }

    /** An element without content. @param attributes names and values in turn */
    Svg element(String name, Object... attributes) {
        tag(name, attributes);
        out.append("/>\n");
        return this;
    }

    /** Begins an element. @param attributes names and values in turn */
    Svg open(String name, Object... attributes) {
        tag(name, attributes);
        out.append('>');
        return this;
    }

    Svg close(String name) {
        out.append("</").append(name).append(">\n");
        return this;
    }

    /** An element with nothing but a hint that is shown on hovering. */
    Svg hinted(String name, String hint, Object... attributes) {
        return open(name, attributes).open("title").words(hint).close("title").close(name);
    }

    /** A line of text. @param anchor {@code start}, {@code middle} or {@code end} */
    Svg text(double x, double y, String style, String anchor, String words) {
        return open("text", "x", x, "y", y, "class", style, "text-anchor", anchor)
                .words(words)
                .close("text");
    }

    /** The whole document. */
    String finish() {
        close("svg");
        return out.toString();
    }

    private Svg words(String words) {
        out.append(escaped(words));
        return this;
    }

    private void tag(String name, Object... attributes) {
        out.append('<').append(name);
        for (int i = 0; i < attributes.length; i += 2) {
            String value = attributes[i + 1] instanceof Double d ? number(d) : attributes[i + 1].toString();
            out.append(' ')
                    .append(attributes[i])
                    .append("=\"")
                    .append(escaped(value))
                    .append('"');
        }
    }

    /** A length: a tenth of a pixel is enough. */
    static String number(double value) {
        return String.format(Locale.ROOT, "%.1f", value);
    }

    /** Text as it may stand in elements and attributes. */
    static String escaped(String text) {
        return text.replace("&", "&amp;")
                .replace("<", "&lt;")
                .replace(">", "&gt;")
                .replace("\"", "&quot;");
    }
}
