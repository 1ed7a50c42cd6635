package daemon

import (
	"log/slog"
	"net"
)

func Patient(l net.Listener, log *slog.Logger) net.Listener { return patientListener{l, log} }
