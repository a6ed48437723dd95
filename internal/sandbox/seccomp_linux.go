package sandbox

import (
	"fmt"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// auditArchs are the numbers by which the kernel tells the architecture of a call; those
// of little-endian machines where clone takes its flags first.
var auditArchs = map[string]uint32{
	"amd64": unix.AUDIT_ARCH_X86_64, "arm64": unix.AUDIT_ARCH_AARCH64, "riscv64": unix.AUDIT_ARCH_RISCV64,
	"ppc64le": unix.AUDIT_ARCH_PPC64LE,
}

// absentCalls are not there for a program inside: doors to the kernel that no package
// needs, and each of them has let somebody out before. io_uring also makes sockets
// that a filter does not see; what glibc asks clone3 for it also does without.
var absentCalls = []uint32{
	unix.SYS_BPF, unix.SYS_USERFAULTFD, unix.SYS_PERF_EVENT_OPEN, unix.SYS_KEYCTL, unix.SYS_ADD_KEY, unix.SYS_REQUEST_KEY,
	unix.SYS_IO_URING_SETUP, unix.SYS_KEXEC_LOAD, unix.SYS_CLONE3,
}

// sharedCalls are denied where there are no namespaces: what they make is for all of the
// container, and outlives the program. First of all sockets, which know its network.
var sharedCalls = []uint32{unix.SYS_SOCKET, unix.SYS_SHMGET, unix.SYS_MSGGET, unix.SYS_SEMGET, unix.SYS_MQ_OPEN}

// networkFamilies are those of the sockets that a program may make: those that its network
// namespace holds. Others lead out of it (vsock to the hypervisor), or into rarely
// looked at parts of the kernel.
var networkFamilies = []uint32{unix.AF_UNIX, unix.AF_INET, unix.AF_INET6, unix.AF_NETLINK}

// The places in struct seccomp_data (seccomp(2)); of an argument, the low half on a
// little-endian machine.
const (
	atCall = 0
	atArch = 4
	atArg0 = 16
)

// x32Calls is the bit in the numbers of calls of the x32 ABI on amd64.
const x32Calls = 0x40000000

// filterCalls takes system calls away from this thread and all that comes of it. No
// privilege is needed once new privileges are forbidden.
func filterCalls(j *job) error {
	arch, ok := auditArchs[runtime.GOARCH]
	if !ok {
		if j.Chroot {
			return fmt.Errorf("no filter for %s", runtime.GOARCH)
		}
		return nil
	}
	const (
		load   = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
		equal  = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
		above  = unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K
		anyBit = unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K
		answer = unix.BPF_RET | unix.BPF_K
		allow  = unix.SECCOMP_RET_ALLOW
		absent = unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)
		denied = unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)
		family = unix.SECCOMP_RET_ERRNO | uint32(unix.EAFNOSUPPORT)
	)
	foreign := absent
	if j.Foreign {
		foreign = allow
	}
	p := []unix.SockFilter{
		{Code: load, K: atArch},
		{Code: equal, Jt: 1, K: arch},
		{Code: answer, K: foreign},
		{Code: load, K: atCall},
	}
	if runtime.GOARCH == "amd64" {
		p = append(p, unix.SockFilter{Code: above, Jf: 1, K: x32Calls}, unix.SockFilter{Code: answer, K: absent})
	}
	for _, n := range absentCalls {
		p = append(p, unix.SockFilter{Code: equal, Jf: 1, K: n}, unix.SockFilter{Code: answer, K: absent})
	}
	if j.Chroot {
		for _, n := range sharedCalls {
			p = append(p, unix.SockFilter{Code: equal, Jf: 1, K: n}, unix.SockFilter{Code: answer, K: denied})
		}
	}
	n := uint8(len(networkFamilies))
	p = append(p, unix.SockFilter{Code: equal, Jf: n + 3, K: unix.SYS_SOCKET}, unix.SockFilter{Code: load, K: atArg0})
	for i, f := range networkFamilies {
		p = append(p, unix.SockFilter{Code: equal, Jt: n - uint8(i), K: f})
	}
	p = append(p, unix.SockFilter{Code: answer, K: family}, unix.SockFilter{Code: answer, K: allow})
	p = append(p,
		unix.SockFilter{Code: equal, Jt: 1, K: unix.SYS_CLONE},
		unix.SockFilter{Code: equal, Jf: 3, K: unix.SYS_UNSHARE},
		unix.SockFilter{Code: load, K: atArg0},
		unix.SockFilter{Code: anyBit, Jf: 1, K: unix.CLONE_NEWUSER},
		unix.SockFilter{Code: answer, K: denied},
		unix.SockFilter{Code: answer, K: allow},
	)
	prog := unix.SockFprog{Len: uint16(len(p)), Filter: &p[0]}
	return unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&prog)), 0, 0)
}
