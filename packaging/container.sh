#!/usr/bin/env bash
# The image of the Containerfile, around the program of static-linux.sh: target/packages/nnue-VERSION-ARCH.oci.tar
# Without the stage that compiles, whose base image would have to be fetched; nothing but buildah runs, neither a service nor a network.
[ "$(id -u)" -eq 0 ] || exec buildah unshare "$0"
. "$(dirname "$0")/common.sh"
name=nnue-$version-$(uname -m)-unknown-linux-gnu
image=$packages/nnue-$version-$(uname -m).oci.tar
work=$(mktemp -d)
buildah=(buildah --storage-driver vfs --root "$work/root" --runroot "$work/run")
container=
trap '[ -z "$container" ] || "${buildah[@]}" rm "$container" >/dev/null; rm -rf "$work"' EXIT

# What the first stage leaves behind.
built_in=$work/build/src/target/x86_64-unknown-linux-gnu/release
mkdir -p "$built_in" "$work/sources"
tar -xf "$packages/$name.tar.gz" -C "$work" "$name/bin/nnue"
mv "$work/$name/bin/nnue" "$built_in/nnue"
"${buildah[@]}" build --quiet --isolation chroot --build-context "build=$work/build" --timestamp 0 -f packaging/Containerfile -t nnue "$work/sources" >/dev/null
rm -f "$image"
"${buildah[@]}" push --quiet nnue "oci-archive:$image:nnue:$version"

# From the archive alone: the program is all there is, it is what the image runs, and it builds the quick start.
"${buildah[@]}" rmi nnue >/dev/null
container=$("${buildah[@]}" from --pull=never "oci-archive:$image")
files=$(find "$("${buildah[@]}" mount "$container")" -type f -printf '%P\n')
[ "$files" = nnue ] || { echo "the image has: $files" >&2; exit 1; }
entry=$("${buildah[@]}" inspect --format '{{.OCIv1.Config.Entrypoint}} {{.OCIv1.Config.WorkingDir}}' "$container")
[ "$entry" = "[/nnue] /work" ] || { echo "the image runs: $entry" >&2; exit 1; }
# -C FOLDER ARGUMENTS…: the folder is the image's `/work`.
cat > "$work/nnue" <<END
#!/bin/sh
folder=\$2
shift 2
exec ${buildah[*]} run --isolation chroot --volume "\$folder:/work" $container -- /nnue "\$@"
END
chmod +x "$work/nnue"
try_it "$work/nnue"
ls -l "$image"
