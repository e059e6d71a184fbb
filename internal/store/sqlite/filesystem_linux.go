package sqlite

import "syscall"

// networkMagic are the file systems on which SQLite's locks or syncs cannot be
// relied on (trust.md §4.1), by the type that statfs reports.
var networkMagic = map[uint32]string{
	0x6969:     "NFS",
	0x517B:     "SMB",
	0xFF534D42: "CIFS",
	0xFE534D42: "SMB2",
	0x65735546: "FUSE",
	0x00C36400: "Ceph",
	0x5346414F: "AFS",
	0x73757245: "Coda",
	0x0BD00BD0: "Lustre",
}

// networkFileSystem names the network file system that holds the folder; empty for
// any other.
func networkFileSystem(folder string) (string, error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(folder, &s); err != nil {
		return "", err
	}
	return networkMagic[uint32(s.Type)], nil
}
