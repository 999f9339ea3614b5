#!/usr/bin/env bash
# `make dft`: compiles GPAW and installs it, with its PAW setups, into an environment of its own.
# Usage: tools/dft/install.sh TARGET [PYTHON]; TARGET is the environment's folder (.venv/dft, where labkit looks for it).
#
# GPAW is under the GPLv3: it stays a separate program that labkit starts and never imports. Its default build wants MPI,
# and its C++ sources need a C++ compiler by name; both are settled in siteconfig.py.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
target=${1:?usage: tools/dft/install.sh TARGET [PYTHON]}
python=${2:-python3}

packages="libxc-dev libopenblas-dev libfftw3-dev g++"
missing=""
for header in xc.h fftw3.h; do
  echo "#include <$header>" | c++ -E -x c++ - >/dev/null 2>&1 || missing=yes
done
if [ -n "$missing" ] || ! command -v g++ >/dev/null 2>&1; then
  if command -v apt-get >/dev/null 2>&1; then
    if [ "$(id -u)" = 0 ]; then sudo=""; else sudo="sudo"; fi
    $sudo apt-get update -qq
    # shellcheck disable=SC2086 # a list of packages
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $packages
  else
    echo "make dft needs g++ and the development files of libxc, OpenBLAS and FFTW 3 (Debian: $packages)." >&2
    exit 1
  fi
fi

if [ -x "$target/bin/python" ] && "$target/bin/python" -c 'import gpaw' >/dev/null 2>&1; then
  echo "GPAW is already in $target."
  exit 0
fi
"$python" -m venv "$target"
pip="$target/bin/python -m pip --disable-pip-version-check"
$pip install --quiet --upgrade pip
GPAW_CONFIG="$here/siteconfig.py" $pip install --quiet --constraint "$here/../../constraints.txt" gpaw==26.7.0 gpaw-data==1.2.1
"$target/bin/python" -c 'import gpaw, _gpaw; print("GPAW", gpaw.__version__, "is ready:", gpaw.__file__)'
