#!/bin/sh
# Builds the example programs from the installed artifacts and runs each on the class path and on the module path, one as
# java -jar; fails if one prints anything else than expected. Install first: ./mvnw install -DskipTests
set -eu
here=$(CDPATH= cd -- "$(dirname "$0")" && pwd -P)
root=$(dirname "$here")
. "$root/bin/find-jdk.sh"
model=$here/demo-model
out=$here/consumer/target

# Snapshots of the same version replace each other: always take the newest.
"$root/mvnw" -q -B -ntp -U -f "$here/consumer/pom.xml" clean package

# Usage: check NAME EXPECTED COMMAND...
check() {
  name=$1 expected=$2
  shift 2
  if ! printed=$("$@" 2>&1); then
    printf '%s\n' "$printed" >&2
    echo "$name: ended with a failure" >&2
    exit 1
  fi
  if ! printf '%s\n' "$printed" | grep -q -e "$expected"; then
    printf '%s\n' "$printed" >&2
    echo "$name: expected a line with: $expected" >&2
    exit 1
  fi
  echo "$name: as expected"
}

# Usage: both PROGRAM EXPECTED ARGUMENT...
both() {
  program=$1 expected=$2
  shift 2
  check "$program on the class path" "$expected" \
    "$JAVA_HOME/bin/java" --enable-native-access=ALL-UNNAMED -cp "$out/consumer.jar:$out/lib/*" "example.$program" "$@"
  check "$program on the module path" "$expected" \
    "$JAVA_HOME/bin/java" --enable-native-access=dev.weft,dev.weft.models,dev.weft.natives,dev.weft.backend.cpu,dev.weft.backend.cuda \
    -p "$out/consumer.jar:$out/lib" --add-modules dev.weft.backend.cpu,dev.weft.backend.cuda -m "example/example.$program" "$@"
}

both OneProduct '^cpu:0 y \[64, 2048\] bf16, y\[0\]=-\{0,1\}0\.[0-9]'
both Placement '^ *2  swiGlu  \(gated_gemm\|swiglu\)/'
both Muon 'HYBRID on cpu:0 .* rows of the update by 0\.000'
both Compare '^cpu:0: \([0-9]*\) of \1 nodes within their tolerance, logits differ by [0-9.]*e-0[5-9] .* 21 of 21 rows' "$model"
both Generate '^ her, and she was very happy' "$model"
check 'Generate as java -jar' '^ her, and she was very happy' "$JAVA_HOME/bin/java" -jar "$out/consumer.jar" "$model"
