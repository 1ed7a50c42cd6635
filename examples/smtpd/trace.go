package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/bonafide-mta/bonafide/identity"
)

// trace returns the fields that this server adds, from the top of the header down. Text of
// the client is in them only in a form that its field has.
func trace(v *identity.Verdict, from, name string) (string, error) {
	results, err := v.AuthenticationResults(name)
	if err != nil {
		return "", err
	}
	fields := []string{"Return-Path: <" + returnPath(from) + ">", results}
	if v.MailFromSPF != nil {
		fields = append(fields, v.MailFromSPF.ReceivedSPF())
	}
	// The field has only a valid HELO name, and only a confirmed PTR name.
	helo := ""
	if v.Helo != nil {
		helo = v.Helo.Argument.Name
	}
	fields = append(fields, fmt.Sprintf("Received: from %s (%s [%s])\r\n\tby %s with ESMTP; %s", hostName(helo), hostName(v.PTRName), v.Client, name, time.Now().Format(time.RFC1123Z)))
	return strings.Join(fields, "\r\n") + "\r\n", nil
}

// hostName returns a name without its final dot, "unknown" for what is not a host name.
func hostName(name string) string {
	name = strings.TrimSuffix(name, ".")
	if name == "" || strings.ContainsFunc(name, func(r rune) bool { return !isNameChar(r) }) {
		return "unknown"
	}
	return name
}

func isNameChar(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '.' || r == '-' || r == '_'
}

// returnPath returns an address of MAIL FROM as RFC 5322 writes it: go-smtp removes the
// quotes of a local part. What a domain cannot have is a question mark.
func returnPath(from string) string {
	at := strings.LastIndexByte(from, '@')
	if at < 0 {
		return "" // the null sender
	}
	domain := strings.Map(func(r rune) rune {
		if isNameChar(r) || strings.ContainsRune("[]:", r) || r > '~' { // a literal, and UTF-8
			return r
		}
		return '?'
	}, from[at+1:])
	return quoteLocalPart(from[:at]) + "@" + domain
}

// quoteLocalPart returns a local part as a Dot-string, or else as a Quoted-string (RFC 5321,
// Section 4.1.2).
func quoteLocalPart(local string) string {
	if !strings.ContainsAny(local, " \"(),:;<>@[\\]") && !strings.Contains("."+local+".", "..") {
		return local
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(local) + `"`
}
