#!/usr/bin/env bash
# Builds llama.cpp's own server out of the sources that the package llama-cpp-python carries, for this machine's processor:
# llama-server.sh [FOLDER] prints where it is. Needs Python with venv, cmake, ninja and a C++ compiler; takes minutes.
set -euo pipefail
folder=${1:-${XDG_CACHE_HOME:-$HOME/.cache}/sdtp-notebook/llama-server}
version=0.3.36
server=$folder/$version/bin/llama-server
if [[ ! -x $server ]]; then
  mkdir -p "$folder"
  python3 -m venv "$folder/venv" >&2
  "$folder/venv/bin/pip" install --quiet scikit-build-core >&2
  "$folder/venv/bin/pip" download --quiet --no-deps --no-binary :all: --no-build-isolation "llama-cpp-python==$version" --dest "$folder" >&2
  tar xzf "$folder/llama_cpp_python-$version.tar.gz" -C "$folder"
  # Its own choice, all that the processor has, ends with an illegal instruction in its AMX products (tilezero) on the machine of
  # the published run: everything else is taken.
  processor=()
  if grep -qw amx_tile /proc/cpuinfo; then
    processor=(-DGGML_NATIVE=OFF)
    for each in AVX AVX2 FMA F16C BMI2 AVX512 AVX512_VBMI AVX512_VNNI AVX512_BF16; do processor+=("-DGGML_$each=ON"); done
  fi
  cmake -S "$folder/llama_cpp_python-$version/vendor/llama.cpp" -B "$folder/$version" -G Ninja -DCMAKE_BUILD_TYPE=Release -DBUILD_SHARED_LIBS=OFF \
    "${processor[@]}" -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF -DLLAMA_BUILD_UI=OFF -DLLAMA_USE_PREBUILT_UI=OFF -DLLAMA_OPENSSL=OFF >&2
  cmake --build "$folder/$version" --target llama-server >&2
fi
echo "$server"
