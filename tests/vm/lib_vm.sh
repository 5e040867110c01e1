# Boots a kernel in QEMU (TCG: KVM hangs on some machines) with an initramfs that
# holds the tool, its libraries and some programs; source after tests/lib.sh.
# shellcheck shell=bash

# vm_image FILE PROGRAM…: an initramfs whose /init runs /run.sh (made by the caller in $T/run.sh)
vm_image() {
	local image=$1 root=$T/root p lib; shift
	local busybox; busybox=$(program busybox) || skip "busybox-static is not installed"
	rm -rf "$root" && mkdir -p "$root"/{bin,proc,sys,dev,tmp,lib64,usr/lib}
	cp "$busybox" "$root/bin/busybox"
	for p in "$@"; do
		cp -L "$p" "$root/bin/"
		for lib in $(ldd "$p" 2>/dev/null | grep -o '/[^ ]*'); do
			mkdir -p "$root/$(dirname "$lib")" && cp -Lu "$lib" "$root/$lib"
		done
	done
	cp "$T/run.sh" "$root/run.sh"
	cat >"$root/init" <<'INIT'
#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin TERM=dumb LC_ALL=C
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mount -t tracefs tracefs /sys/kernel/tracing
mount -t tmpfs tmp /tmp
ip link set lo up
echo VM-BEGIN
sh /run.sh
echo "VM-END $?"
poweroff -f
INIT
	chmod 755 "$root/init" "$root/run.sh"
	(cd "$root" && find . | cpio -o -H newc --quiet | gzip -1) >"$image"
}

# vm_run KERNEL IMAGE SECONDS: console output to stdout, carriage returns removed
vm_run() {
	local qemu; qemu=$(program qemu-system-x86_64) || skip "qemu-system-x86 is not installed"
	timeout -k 2 "$3" "$qemu" -accel tcg,thread=single -cpu qemu64 -smp 2 -m 768 -nic none -display none -serial stdio -monitor none -no-reboot \
		-kernel "$1" -initrd "$2" -append "console=ttyS0 quiet panic=-1" </dev/null 2>/dev/null | tr -d '\r'
}

# vm_finish KERNEL IMAGE SECONDS FILE: the same into FILE, once more where an emulated machine on a crowded one stood still
vm_finish() {
	vm_run "$1" "$2" "$3" >"$4"
	grep -q '^VM-END 0' "$4" && return
	echo "the machine did not finish, once more: $(grep -m1 'BUG' "$4")"
	vm_run "$1" "$2" "$3" >"$4"
	grep -q '^VM-END 0' "$4" || { tail -50 "$4"; fail "the machine did not finish"; }
}

# vm_finish_all IMAGE SECONDS KERNEL…: all of them beside each other, their output in $T/console.1, $T/console.2 …
vm_finish_all() {
	local image=$1 seconds=$2 kernel job failed=0 jobs=(); shift 2
	program qemu-system-x86_64 >/dev/null || skip "qemu-system-x86 is not installed"
	for kernel in "$@"; do
		vm_finish "$kernel" "$image" "$seconds" "$T/console.$((${#jobs[@]} + 1))" & jobs+=($!)
	done
	for job in "${jobs[@]}"; do wait "$job" || failed=1; done
	[ $failed = 0 ] || fail "not every machine finished"
}
