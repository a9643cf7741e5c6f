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
#
# With the word `bad` also what a TLS client must refuse, or needs to refuse it:
#
#   second rsa mended          good: another key; RSA of 2048 bits; also for ehr.localhost
#   revoked  crl.pem           in the CA's list; stale.crl.pem ended yesterday, unknown.crl.pem is of the other CA
#   chained  sub.pem           from an intermediate authority, to be served without it
#   falseissuer notca.pem      from a certificate that is no authority
#   constrained named.pem      from an authority that may only name *.hospital.example
#   small sha1 wrongeku        RSA of 1024 bits; signed with SHA-1; for clients only
#   cnonly dnsip               localhost as common name, without alternative names; an address as a DNS name
#   star starlocal             *; *.localhost
#   clientexpired clientother clientsmall   client certificates: ended; from the other CA; RSA of 1024 bits
#   clientnamed clientstar     client certificates: "Ward 7" as common name, without alternative names; for *.ketlink.example
set -eu

case "$# ${2:-bad}" in "1 bad" | "2 bad") ;; *) echo "usage: certs.sh DIR [bad]" >&2 && exit 2 ;; esac
bad=${2:-}
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
    register "$1"
}

# below NAME EXTENSION…: a certificate from the CA that signs others, rightly or not.
below() {
    below_name=$1
    shift
    for extension in "$@"; do set -- "$@" -addext "$extension" && shift; done
    openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -sha256 -subj "/CN=ketlink test $below_name" "$@" \
        -keyout "$below_name.key" -out "$below_name.csr" 2>>"$log"
    openssl ca -batch -notext -config ca.cnf -startdate "$(at '-1 hour')" -enddate "$(at '+20 days')" \
        -in "$below_name.csr" -out "$below_name.pem" 2>>"$log"
    register "$below_name"
}

# register NAME: its certificate and key become an authority for `openssl ca`.
register() {
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

# leaf NAME AUTHORITY FROM TO USAGE SUBJECTALTNAME; $leaf_key, $leaf_digest and $leaf_name make it another
leaf() {
    # shellcheck disable=SC2086
    openssl req -new -newkey ${leaf_key:-ec -pkeyopt ec_paramgen_curve:P-256} -nodes -sha256 \
        -subj "/CN=${leaf_name:-ketlink test $1}" ${6:+-addext "subjectAltName=$6"} -addext "extendedKeyUsage=$5" \
        -addext basicConstraints=critical,CA:FALSE -keyout "$1.key" -out "$1.csr" 2>>"$log"
    openssl ca -batch -notext -config "$2.cnf" -md "${leaf_digest:-sha256}" -startdate "$(at "$3")" -enddate "$(at "$4")" \
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

[ "$bad" ] || exit 0
good() { leaf "$1" "$2" '-1 hour' '+7 days' serverAuth "$3"; }
good second ca "$here"
good mended ca "$here,DNS:ehr.localhost"
leaf revoked ca '-1 hour' '+7 days' serverAuth,clientAuth "$here" # for both: what refuses it is the list
below sub basicConstraints=critical,CA:TRUE keyUsage=critical,keyCertSign,cRLSign
good chained sub "$here"
below notca basicConstraints=critical,CA:FALSE "subjectAltName=$here"
good falseissuer notca "$here"
below named basicConstraints=critical,CA:TRUE keyUsage=critical,keyCertSign \
    nameConstraints=critical,permitted\;DNS:hospital.example
good constrained named "$here"
(leaf_key=rsa:2048 && good rsa ca "$here")
(leaf_key=rsa:1024 && good small ca "$here")
(leaf_digest=sha1 && good sha1 ca "$here")
leaf wrongeku ca '-1 hour' '+7 days' clientAuth "$here"
(leaf_name=localhost && good cnonly ca '')
good dnsip ca DNS:127.0.0.1
good star ca 'DNS:*'
good starlocal ca 'DNS:*.localhost'
leaf clientexpired ca '-10 days' '-1 day' clientAuth DNS:ketlink.example
leaf clientother unknown-ca '-1 hour' '+7 days' clientAuth DNS:ketlink.example
(leaf_name='Ward 7' && leaf clientnamed ca '-1 hour' '+7 days' clientAuth '')
leaf clientstar ca '-1 hour' '+7 days' clientAuth 'DNS:*.ketlink.example'
(leaf_key=rsa:1024 && leaf clientsmall ca '-1 hour' '+7 days' clientAuth DNS:ketlink.example)

list() { openssl ca -gencrl -config "$1.cnf" -crl_lastupdate "$(at "$2")" -crl_nextupdate "$(at "$3")" -out "$4" 2>>"$log"; }
openssl ca -config ca.cnf -revoke revoked.pem 2>>"$log"
list ca '-1 hour' '+7 days' crl.pem
list ca '-9 days' '-1 day' stale.crl.pem
list unknown-ca '-1 hour' '+7 days' unknown.crl.pem
