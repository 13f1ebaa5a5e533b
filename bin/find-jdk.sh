# Sets and exports JAVA_HOME to a JDK 25 or newer. Sourced by mvnw and weft; POSIX sh, starts no JVM.
# With weft_jre_ok=1 a run-time image without javac is accepted as well.

# Prints the major version of the Java in directory $1; fails when it is too old, incomplete or not there.
weft_java_major() {
  [ -n "$1" ] && [ -x "$1/bin/java" ] && [ -r "$1/release" ] || return 1
  [ "${weft_jre_ok-}" = 1 ] || [ -x "$1/bin/javac" ] || return 1
  weft_version=
  while IFS='=' read -r weft_key weft_value || [ -n "$weft_key" ]; do
    [ "$weft_key" != JAVA_VERSION ] || weft_version=$weft_value
  done <"$1/release"
  weft_version=${weft_version#\"}
  weft_version=${weft_version%%[!0-9]*}
  [ -n "$weft_version" ] && [ "$weft_version" -ge 25 ] && printf '%s\n' "$weft_version"
}

# Prints the home directory of the java command on the PATH, links resolved.
weft_path_java() {
  weft_link=$(command -v java) || return 1
  while [ -L "$weft_link" ]; do
    weft_target=$(readlink "$weft_link") || return 1
    case $weft_target in
      /*) weft_link=$weft_target ;;
      *) weft_link=${weft_link%/*}/$weft_target ;;
    esac
  done
  (CDPATH= cd -- "${weft_link%/*}/.." 2>/dev/null && pwd -P)
}

# Prints the first suitable home: what the user named, then the CI variables and the PATH, then the lowest version installed.
weft_find_java() {
  for weft_home in "${WEFT_JAVA_HOME-}" "${JAVA_HOME-}" "${JAVA_HOME_25_X64-}" "${JAVA_HOME_25_ARM64-}" "${JAVA25_HOME-}" \
    "$(weft_path_java)"; do
    if weft_java_major "$weft_home" >/dev/null; then
      printf '%s\n' "$weft_home"
      return 0
    fi
  done
  weft_best= weft_best_major=
  for weft_home in /usr/lib/jvm/* /usr/java/* /usr/local/*jdk* /opt/*jdk* /opt/java/* "${SDKMAN_DIR:-${HOME-}/.sdkman}"/candidates/java/* \
    "${HOME-}"/.jdks/* "${HOME-}"/.local/share/mise/installs/java/* "${HOME-}"/.asdf/installs/java/* \
    /Library/Java/JavaVirtualMachines/*/Contents/Home "${HOME-}"/Library/Java/JavaVirtualMachines/*/Contents/Home; do
    weft_major=$(weft_java_major "$weft_home") || continue
    if [ -z "$weft_best" ] || [ "$weft_major" -lt "$weft_best_major" ]; then
      weft_best=$weft_home weft_best_major=$weft_major
    fi
  done
  printf '%s\n' "$weft_best"
}

weft_java_home=$(weft_find_java)
if [ -z "$weft_java_home" ]; then
  cat >&2 <<'END'
Weft needs a JDK 25 or newer, and none was found. Three ways to get one:
  1. Debian 13, recent Ubuntu:         apt-get install openjdk-25-jdk-headless
  2. SDKMAN, any Linux or macOS:        sdk install java 25-tem
  3. Unpack a JDK 25 archive (for example Eclipse Temurin) anywhere and name its folder:
                                        export WEFT_JAVA_HOME=/path/to/jdk-25
An older JDK may stay the default; Weft looks for its own.
END
  exit 1
fi
JAVA_HOME=$weft_java_home
export JAVA_HOME

# mvnw unpacks Maven with unzip and verifies the checksum of the zip. The JDK can unpack it too, so unzip is not needed.
if [ "${weft_jre_ok-}" != 1 ] && ! command -v unzip >/dev/null 2>&1; then
  unzip() { # [-q] FILE -d DIRECTORY
    [ "$1" != -q ] || shift
    (set +f && cd -- "$3" && "$JAVA_HOME/bin/jar" xf "$1" && chmod +x ./*/bin/mvn)
  }
fi
