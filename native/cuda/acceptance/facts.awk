# Lines of weft bench -o jsonl as rows of the table, and as facts (case, measure, value) appended to the file FACTS. Variables:
# phase, suffix (tells cases of one name apart), sticks (a file of case and microseconds), facts.
BEGIN {
  OFS = "\t"
  while ((getline line < sticks) > 0) {
    split(line, f, "\t")
    stick[f[1]] = f[2]
  }
}
/computed by a kernel of our own/ { own = 1 }
/^\{"benchmark":/ {
  base = title()
  variant = field("device") ~ /\// ? substr(field("device"), index(field("device"), "/")) : ""
  name = base (variant == "" ? "" : " " variant)
  if (variant != "" && (own || index(field("kernel"), variant) == 0)) { # the speed of the variant is not what was measured
    print phase, name, "absent", "", "", "", "", "", "not by the variant: the device\047s usual kernel computed it, placed as " field("kernel")
    own = 0
    next
  }
  copies = field("copies") == "" ? 1 : field("copies")
  us = field("seconds.median") * 1e6 / copies
  read = field("ceilings.read")
  fact("us", us)
  fact("gbps", field("gbps"))
  fact("tflops", field("gflops") / 1e3)
  fact("of_limit", field("ofLimit"))
  fact("times_floor", field("timesFloor"))
  if (field("hostSeconds") != "") fact("host_us", field("hostSeconds") * 1e6)
  if (field("ofLimit") != "") fact("over_floor_us", us * (1 - field("ofLimit")))
  if (field("ceilings.fp8Dot") != "")
    fact("of_fp8_floor", larger(field("bytes") / read, field("flops") / field("ceilings.fp8Dot")) * 1e6 / copies / us)
  if (base in stick) fact("of_yardstick", stick[base] / us)
  print phase, name, "measured", sprintf("%.1f", us), stick[base], short(field("ofLimit")), "", "", remark()
}
function fact(measure, value) {
  if (value != "") print name, measure, value >> facts
}
function larger(a, b) { return a > b ? a : b }
function short(share) { return share == "" ? "" : sprintf("%.2f", share) }
function title(   kind) {
  kind = field("benchmark")
  if (kind == "gemm") return suffix " " field("weights") " m=" field("m")
  if (kind == "layer") return "stack" tail() " b=" (field("batch") == "" ? 1 : field("batch"))
  return field("work") tail() " m=" field("m")
}
function tail() { return suffix == "" ? "" : " " suffix }
function remark(   text) {
  text = sprintf("%.0f GB/s, %.1f TFLOP/s, %s clock", field("gbps"), field("gflops") / 1e3, field("clock"))
  if (field("limit.kind") != "") text = text sprintf(", limit %s %.1f G/s", field("limit.kind"), field("limit.value") / 1e9)
  if (field("timesFloor") != "") text = text sprintf(", %.2f times the sum of floors", field("timesFloor"))
  if (field("hostSeconds") != "") text = text sprintf(", host %.1f us", field("hostSeconds") * 1e6)
  if (field("launches") != "") text = text ", " field("launches") " launches"
  if (field("k") != "") text = field("k") " -> " field("n") ", " text
  if (field("kernel") != "") text = field("kernel") ", " text
  return text
}
# The value of a field of a flat object whose texts hold no quotes, the command's aside.
function field(key,   at, rest) {
  at = index($0, "\"" key "\":")
  if (at == 0) return ""
  rest = substr($0, at + length(key) + 3)
  if (substr(rest, 1, 1) == "\"") {
    rest = substr(rest, 2)
    return substr(rest, 1, index(rest, "\"") - 1)
  }
  sub(/[,}].*/, "", rest)
  return rest
}
