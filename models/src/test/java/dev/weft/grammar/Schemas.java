package dev.weft.grammar;

import java.util.LinkedHashMap;
import java.util.Map;

/** Schemas of the kinds that programs ask models for. */
final class Schemas {
    static final Map<String, String> ALL = new LinkedHashMap<>();

    static {
        ALL.put("person", """
                {"type": "object", "title": "A person", "properties": {"name": {"type": "string", "maxLength": 12},
                 "age": {"type": "integer", "minimum": -3, "maximum": 120}, "email": {"type": "string", "format": "email"}},
                 "required": ["name", "age"], "additionalProperties": false}""");
        ALL.put("free", "{}");
        ALL.put("object", """
                {"type": "object"}""");
        ALL.put("list", """
                {"type": "array", "items": {"enum": ["red", "gr\\u00fcn", 7, null, {"a": [1.5, "x"]}]}, "minItems": 2,
                 "maxItems": 5}""");
        ALL.put("tuple", """
                {"type": "array", "prefixItems": [{"type": "number"}, {"type": "string", "minLength": 2}, {"const": [true]}],
                 "items": {"type": "boolean"}, "minItems": 3}""");
        ALL.put("tree", """
                {"type": "object", "properties": {"value": {"type": "number"}, "children": {"type": "array",
                 "items": {"$ref": "#"}}}, "required": ["value"], "additionalProperties": false}""");
        ALL.put("expression", """
                {"$ref": "#/$defs/expr", "$defs": {"expr": {"anyOf": [{"$ref": "#/$defs/number"}, {"$ref": "#/$defs/sum"}]},
                 "number": {"type": "object", "properties": {"op": {"const": "number"}, "value": {"type": "number"}},
                 "required": ["op", "value"]}, "sum": {"type": "object", "properties": {"op": {"const": "sum"},
                 "left": {"$ref": "#/$defs/expr"}, "right": {"$ref": "#/$defs/expr"}}, "required": ["op", "left", "right"]}}}""");
        ALL.put("union", """
                {"oneOf": [{"type": "object", "properties": {"kind": {"const": "circle"}, "radius": {"type": "number",
                 "exclusiveMinimum": 0}}, "required": ["kind", "radius"]}, {"type": "object", "properties":
                 {"kind": {"const": "square"}, "side": {"type": "number", "exclusiveMinimum": 0, "maximum": 2.5}},
                 "required": ["kind", "side"]}, {"type": "null"}]}""");
        ALL.put("map", """
                {"type": "object", "properties": {"id": {"type": "integer"}, "Name": {"type": ["string", "null"]}},
                 "required": ["id", "unlisted"], "additionalProperties": {"type": "integer", "exclusiveMaximum": 10}}""");
        ALL.put("pattern", """
                {"type": "object", "properties": {"phone": {"type": "string", "pattern": "^\\\\+?[0-9]{3,6}(-[0-9]{2})*$"},
                 "word": {"type": "string", "pattern": "[aeiou\\u00e9]\\\\S", "maxLength": 9},
                 "any": {"type": "string", "pattern": "^.\\\\D?\\"$"}}, "required": ["phone", "word", "any"]}""");
        ALL.put("numbers", """
                {"type": "array", "prefixItems": [{"type": "integer", "minimum": 10, "maximum": 99},
                 {"type": "number", "minimum": -1.25, "exclusiveMaximum": 0.75}, {"type": "integer", "maximum": -1000},
                 {"type": "number", "exclusiveMinimum": 99.99}], "items": false, "minItems": 4}""");
        ALL.put("text", """
                {"type": "string", "minLength": 5, "maxLength": 40}""");
        ALL.put("deep", """
                {"type": "object", "properties": {"a": {"type": "object", "properties": {"b": {"type": "object", "properties":
                 {"c": {"type": "array", "items": {"type": "array", "items": {"type": "object", "properties": {"d": true},
                 "required": ["d"]}, "maxItems": 2}, "minItems": 1}}, "required": ["c"]}}, "required": ["b"]}},
                 "required": ["a"], "additionalProperties": true}""");
        ALL.put("loose", """
                {"properties": {"x": {"type": "integer"}}, "required": ["x"], "minLength": 3, "maximum": 5}""");
    }

    private Schemas() {}
}
