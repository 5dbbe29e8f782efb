# Sourced by the scripts beside it: where the OP-TEE environment lies, and the tools that were unpacked into it.
# shellcheck shell=bash

# shellcheck source=scripts/env.sh
. "$(dirname "${BASH_SOURCE[0]}")/../env.sh"

work=${CARGO_TARGET_DIR:-$root/target}/optee
tools=$work/tools        # programs for this machine that it lacks
guest=$work/guest        # packages for the guest, arm64
sources=$work/sources
keys=$work/keys
multiarch=$(uname -m)-linux-gnu

PATH=$tools/usr/bin:$tools/usr/sbin:$tools/sbin:$tools/bin:$PATH:/usr/sbin:/sbin
cross=aarch64-linux-gnu-
rust_target=aarch64-unknown-linux-gnu

# with_tools COMMAND...: what was unpacked finds its own libraries and Python packages, and nothing else does. Debian's
# Python, since the packages are for that one.
with_tools() {
  PATH=$tools/usr/bin:$tools/bin:$tools/usr/sbin:$tools/sbin:/usr/bin:/bin:/usr/sbin:/sbin \
    LD_LIBRARY_PATH=$tools/usr/lib/$multiarch:$tools/lib/$multiarch \
    PYTHONPATH=$tools/usr/lib/python3/dist-packages CRYPTOGRAPHY_OPENSSL_NO_LEGACY=1 "$@"
}

# apt_with PROGRAM ARGUMENT...: apt with lists and a cache in the build directory, and the sources that were written
# there. What is installed on this machine is known and never changed.
apt_with() {
  "$1" -o APT::Architecture=amd64 -o APT::Architectures::=amd64 -o APT::Architectures::=arm64 \
    -o Dir::Etc::sourcelist="$work/apt/sources.list" -o Dir::Etc::sourceparts=/dev/null \
    -o Dir::State::Lists="$work/apt/lists" -o Dir::Cache="$work/apt/cache" -o Debug::NoLocking=1 \
    -o APT::Sandbox::User="$(id -un)" "${@:2}"
}

# fetch_source PACKAGE PATTERN VERSION: the sources of that version into this directory, or else of the newest one that
# matches the pattern and that the archive still has: an index may name what is gone.
fetch_source() {
  local version
  while read -r version; do
    if apt_with apt-get -qq source --download-only "$1=$version" 2>/dev/null; then
      [ "$version" = "$3" ] || echo "Debian has no $1 $3 any more. Taken instead, and not tested: $version" >&2
      return
    fi
    rm -f "$1"_*
  done < <(echo "$3" && apt_with apt-cache showsrc "$1" | sed -n 's/^Version: //p' | grep -E "$2" | sort -Vru)
  die "Debian has no source of $1 that could serve (tested: $3)."
}

# fresh STAMP INPUT...: whether STAMP was made of just these inputs (strings). Otherwise remove what depends on it.
fresh() { [ -f "$1" ] && [ "$(printf '%s\n' "${@:2}" | sha256sum)" = "$(cat "$1")" ]; }
stamp() { printf '%s\n' "${@:2}" | sha256sum >"$1"; }

# own_version FILE...: a hash of what files say, as an input of a stamp.
own_version() { cat "$@" | sha256sum; }

# The linker for the guest's programs: in the tree of unpacked packages where the compiler is there, else this machine's.
make_linker() {
  local compiler=${cross}gcc sysroot=''
  [ ! -e "$tools/usr/bin/$compiler" ] || sysroot=--sysroot=$tools
  mkdir -p "$work/bin"
  cat >"$work/bin/aarch64-gcc" <<EOF
#!/bin/sh
PATH=$tools/usr/bin:\$PATH LD_LIBRARY_PATH=$tools/usr/lib/$multiarch exec $compiler $sysroot "\$@"
EOF
  chmod +x "$work/bin/aarch64-gcc"
}

# cross_cargo FLAGS ARGUMENTS...: cargo for the guest's processor, with these flags for the compiler. No path of this
# machine gets into what is built, so that who builds the same source gets the same bytes.
cross_cargo() {
  local flags="$1 --remap-path-prefix=$root=/holdfast --remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=/cargo"
  make_linker
  if [ -d "$work/sysroot" ]; then
    flags+=" --sysroot $work/sysroot"
  fi
  CARGO_TARGET_DIR=${CARGO_TARGET_DIR_OF_GUEST:-$work/cargo} CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=$work/bin/aarch64-gcc \
    CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUSTFLAGS=$flags CC_aarch64_unknown_linux_gnu=$work/bin/aarch64-gcc \
    cargo "${@:2}" --target "$rust_target"
}
