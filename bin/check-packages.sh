#!/bin/sh
# Checks what is published: two folders give the same bytes, the examples run from the installed artifacts, and the
# distribution runs without an installed Java. Installs into the local Maven repository.
set -eu
root=$(CDPATH= cd -- "$(dirname "$0")/.." && pwd -P)
cd "$root"
# without images of CUDA kernels: whether there are any depends on nvcc, and the kernels have a check of their own
build='-B -ntp -q -DskipTests -Dweft.native=require -Dweft.cuda.targets=none'

# shellcheck disable=SC2086 # a list of options
./mvnw $build -Pdist install

second=$root/target/second-folder
rm -rf "$second"
mkdir -p "$second"
tar -cf - --exclude=.git --exclude=target . | tar -xf - -C "$second"
# shellcheck disable=SC2086
"$second/mvnw" $build -Dmaven.test.skip=true -pl '!benchmarks' -f "$second/pom.xml" package
# the names are those of the second: here may be jars of other profiles, too
jars=$(cd "$second" && ls -- */target/weft-*.jar cli/target/weft/lib/weft-cli-*.jar)
# shellcheck disable=SC2086 # a list of names without blanks
sha256sum $jars >target/jars-1
# shellcheck disable=SC2086
(cd "$second" && sha256sum $jars) >target/jars-2
if [ "$(wc -l <target/jars-1)" -lt 8 ] || ! diff target/jars-1 target/jars-2; then
  echo "the jars of two folders differ, or there are too few of them" >&2
  exit 1
fi
echo "$(wc -l <target/jars-1) jars have the same bytes in two folders"
rm -rf "$second"

examples/run.sh

home=$(find cli/target -maxdepth 1 -type d -name 'weft-[0-9]*')
env -i PATH=/usr/bin:/bin HOME="$root/target" "$home/weft" demo >target/distribution.log
grep -q 'cpu:0/scalar .* ref ' target/distribution.log
echo "the distribution runs without an installed Java"
