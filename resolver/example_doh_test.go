package resolver_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"

	"github.com/miekg/dns"

	"github.com/bonafide-mta/bonafide/resolver"
	"github.com/bonafide-mta/bonafide/resolver/dnsfake"
)

// DNS over HTTPS (RFC 8484): Exchange carries the messages, all else is the Client's.
func ExampleClient_doh() {
	fake, err := dnsfake.New("$ORIGIN example.test.\n$TTL 300\nwww CNAME mail\nmail A 192.0.2.10")
	if err != nil {
		log.Fatal(err)
	}
	server, err := fake.Serve()
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	doh := httptest.NewServer(dohHandler(server.Addr)) // https://dns.example/dns-query, say
	defer doh.Close()

	client := &resolver.Client{Exchange: dohExchange(doh.URL)}
	fmt.Println(resolver.Ask(context.Background(), client, "www.example.test", dns.TypeA))
	fmt.Println(resolver.Ask(context.Background(), client, "nothing.example.test", dns.TypeA))
	// Output:
	// www.example.test. A: 192.0.2.10 (by way of 1 aliases) (Exchange)
	// nothing.example.test. A: NXDOMAIN (Exchange)
}

// dohExchange asks the DoH server at a URL.
func dohExchange(url string) func(context.Context, netip.AddrPort, []byte) ([]byte, error) {
	return func(ctx context.Context, _ netip.AddrPort, query []byte) ([]byte, error) {
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(query))
		if err != nil {
			return nil, err
		}
		request.Header.Set("Content-Type", "application/dns-message")
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return nil, err
		}
		defer response.Body.Close()
		if response.StatusCode != http.StatusOK {
			return nil, errors.New(response.Status)
		}
		return io.ReadAll(io.LimitReader(response.Body, 1<<16)) // a message has up to 65535 octets
	}
}

// dohHandler is a DoH server in front of a DNS server.
func dohHandler(server netip.AddrPort) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		query, err := io.ReadAll(r.Body)
		if err != nil || r.Header.Get("Content-Type") != "application/dns-message" {
			http.Error(w, "no query", http.StatusBadRequest)
			return
		}
		conn, err := new(net.Dialer).DialContext(r.Context(), "tcp", server.String())
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		defer conn.Close()
		defer context.AfterFunc(r.Context(), func() { conn.Close() })()
		framed, response := &dns.Conn{Conn: conn}, make([]byte, dns.MaxMsgSize)
		_, err = framed.Write(query)
		n := 0
		if err == nil {
			n, err = framed.Read(response)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		w.Header().Set("Content-Type", "application/dns-message")
		_, _ = w.Write(response[:n]) // a client that went away
	})
}
