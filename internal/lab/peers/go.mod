// The benchmarks beside other libraries, in a module of their own so that the
// library's module graph stays clean of these.
module github.com/bonafide-mta/bonafide/internal/lab/peers

go 1.26.0

require (
	github.com/bonafide-mta/bonafide v0.0.0
	github.com/foxcpp/go-mockdns v1.3.0
	github.com/miekg/dns v1.1.73
)

require (
	github.com/hashicorp/golang-lru/v2 v2.0.7 // indirect
	golang.org/x/net v0.62.0 // indirect
	golang.org/x/sys v0.49.0 // indirect
	golang.org/x/text v0.43.0 // indirect
)

replace github.com/bonafide-mta/bonafide => ../../..
