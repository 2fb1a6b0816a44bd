//go:build linux || darwin

package auth

import "syscall"

// ownGroup keeps signals of the terminal, which are for the gateway, from a process.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// giveWay lets a process group run only when others leave time: setpriority(2), nice value 19. On
// Linux that is said for each thread, and all threads of the group are meant.
func giveWay(group int) error { return syscall.Setpriority(syscall.PRIO_PGRP, group, 19) }
