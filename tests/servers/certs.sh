#!/bin/sh
# Makes the certificates of the TLS tests in DIR, from nothing, with dates counted from now. None is ever committed.
#
#   ca.pem                     the private CA that a client is told to trust
#   server.pem server.key      good: localhost, 127.0.0.1, ::1
#   expired.pem expired.key    same names, ended yesterday
#   future.pem future.key      same names, begins in a week
#   otherhost.pem ….key        good dates, but for ehr.example
#   unknown.pem ….key          right names, from unknown-ca.pem, which nobody trusts
#   selfsigned.pem ….key       right names, signed by itself
#   client.pem client.key      a client certificate from the CA
set -eu

[ $# -eq 1 ] || { echo "usage: certs.sh DIR" >&2; exit 2; }
umask 077
mkdir -p "$1"
cd "$1"

log=certs.log # openssl is talkative: its words are shown only when something fails
# shellcheck disable=SC2154
trap 'status=$?; [ $status -eq 0 ] || cat "$log" >&2; rm -rf "$log" issued index.* ./*.csr ./*.cnf; exit $status' EXIT
: >"$log"
mkdir -p issued

at() { date -u -d "$1" +%Y%m%d%H%M%SZ; }

# authority NAME: a CA that `openssl ca` can use, since only that command takes both dates on OpenSSL 3.0.
authority() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -sha256 -subj "/CN=ketlink test $1" \
        -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign \
        -keyout "$1.key" -out "$1.pem" 2>>"$log"
    : >"index.$1"
    cat >"$1.cnf" <<EOF
[ca]
default_ca = this
[this]
database = index.$1
new_certs_dir = issued
certificate = $1.pem
private_key = $1.key
default_md = sha256
policy = any
rand_serial = yes
unique_subject = no
copy_extensions = copy
[any]
commonName = supplied
EOF
}

# leaf NAME AUTHORITY FROM TO USAGE SUBJECTALTNAME
leaf() {
    openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -sha256 -subj "/CN=ketlink test $1" \
        -addext "subjectAltName=$6" -addext "extendedKeyUsage=$5" -addext basicConstraints=critical,CA:FALSE \
        -keyout "$1.key" -out "$1.csr" 2>>"$log"
    openssl ca -batch -notext -config "$2.cnf" -startdate "$(at "$3")" -enddate "$(at "$4")" \
        -in "$1.csr" -out "$1.pem" 2>>"$log"
}

here=DNS:localhost,IP:127.0.0.1,IP:::1
authority ca
authority unknown-ca
leaf server ca '-1 hour' '+7 days' serverAuth "$here"
leaf expired ca '-10 days' '-1 day' serverAuth "$here"
leaf future ca '+7 days' '+14 days' serverAuth "$here"
leaf otherhost ca '-1 hour' '+7 days' serverAuth DNS:ehr.example
leaf unknown unknown-ca '-1 hour' '+7 days' serverAuth "$here"
leaf client ca '-1 hour' '+7 days' clientAuth DNS:ketlink.example
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 7 -sha256 -subj '/CN=ketlink test selfsigned' \
    -addext "subjectAltName=$here" -keyout selfsigned.key -out selfsigned.pem 2>>"$log"
