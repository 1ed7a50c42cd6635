package ptrname

import (
	"slices"
	"strings"

	"github.com/bonafide-mta/bonafide/internal/suffix"
)

// wordClass is what a word says of a name.
type wordClass uint8

const (
	_ wordClass = iota
	access
	assign
	plain
	machine
	role
	service
)

// The words that say by themselves that a machine handles mail, for [Classify] and
// [MailWord].
var (
	// Every word that begins or ends with one of these.
	mailStems = []string{"mail", "smtp", "mta", "mx"}
	// These as whole words, since they are in many others (scout, resend).
	mailWords = []string{"inbound", "out", "outbound", "relay", "send", "post", "bounce"}
)

// Beginnings and ends by which a longer word is one for mail, for [Classify] alone.
var (
	roleStarts = slices.Concat(mailStems, []string{"outgoing", "outbound", "relay", "postal", "omta", "emta", "mgw", "mfgw", "imap", "exch"})
	roleEnds   = slices.Concat(mailStems, []string{"relay", "mailer", "mgw", "smtpout", "mailgw", "mailhost", "spam"})
)

// vocabulary has the words of both sorts of names, of several languages. No provider's
// name is among them.
var vocabulary = func() map[string]wordClass {
	m := make(map[string]wordClass)
	for k, words := range []string{
		access: `dsl adsl sdsl vdsl xdsl hdsl rdsl idsl dyn dynamic dynamicip dynip dynadsl dyndsl dhcp ppp pppoe pppox pppool dial dialup dialin dialer
			pool pools cable cablelink catv cpe cm cbl cab modem docsis gprs umts lte hspa mobile mobil wifi wimax wireless wlan wlans ftth fttx fttb fiber fibre
			gpon isdn broadband bb hfc dip res resnet residential abo roamer roaming cdma fixed pon bng bras ubr`,
		assign: `cust custs customer customers client clients clientes kunde kunden user users usr subscriber subs rev reverse revip revdns rdns ptr
			static estatico statik unassigned unused unknown undefined unallocated hosted hosting hostedby vps vmi vds vserver vm virt ded dedicated dedi
			colo colocation compute instance cloud dnat nat generic rede members member lan addr fix`,
		plain:   `ip ips ipv net line host hst hostname by no not set sv int port poort inaddr arpa default none null xxx eth st`,
		machine: `home node srv server box pc machine computer system ws vnet test`,
		role: strings.Join(slices.Concat(mailStems, mailWords), " ") + ` mails mailer mailers mailing smtps smtpd esmtp mtas mxs mxout relays mrelay
			outgoing outmail mailout smtpout mailrelay smtprelay mailhost mailhub mailgate mailgw mailgateway mailserver mailsrv mgw mfgw postal poste posta
			postoffice correo courrier imap pop exch exchange exim postfix sendmail qmail zimbra esp bounces bouncer news newsletter nl list lists listserv
			majordomo delivery deliver sender senders edge antispam spam filter scanner omta emta fmta mmta mailin in mda msa mdaemon email emails
			mm mo mw m nm bulk campaign marketing transactional notify notification notifications alert alerts webmail groupware o365 lotus domino notes`,
		service: `www web ns dns gw gate gateway fw firewall vpn ftp proxy db ldap voip pbx ntp time router rtr core hub mgmt admin portal app apps api
			intranet extranet office dc ad file files backup monitor nagios irc git svn wiki shop blog cdn static-content img media`,
	} {
		for w := range strings.FieldsSeq(words) {
			m[w] = wordClass(k)
		}
	}
	return m
}()

// inWords are parts by which a longer word is one for access lines.
var inWords = []string{"dsl", "dhcp", "dialup", "dynamic", "pppo", "broadband", "catv", "cable", "wireless", "dynip"}

// classOf returns the class of a word, 0 for a word that says nothing.
func classOf(word string) wordClass {
	if k, ok := vocabulary[word]; ok {
		return k
	}
	switch {
	case len(word) <= 3:
		return 0
	case slices.ContainsFunc(inWords, func(in string) bool { return strings.Contains(word, in) }):
		return access
	case beginsOrEnds(word, roleStarts, roleEnds):
		return role
	}
	return 0
}

// beginsOrEnds reports whether a word has one of some beginnings or ends.
func beginsOrEnds(word string, starts, ends []string) bool {
	return slices.ContainsFunc(starts, func(s string) bool { return strings.HasPrefix(word, s) }) ||
		slices.ContainsFunc(ends, func(s string) bool { return strings.HasSuffix(word, s) })
}

// hostWords are the words of the host part.
type hostWords struct {
	first        [service + 1]string // of each class
	secondAccess string
	roleLeft     bool // a word for mail is in the first label
	placeholders bool // there are only words for any machine
}

// hostWords reads the words of the host part.
func (e *examination) hostWords() hostWords {
	w := hostWords{placeholders: e.host != ""}
	accesses := 0
	for i := 0; i < len(e.host); {
		if !isLetter(e.host[i]) {
			i++
			continue
		}
		start := i
		for i < len(e.host) && isLetter(e.host[i]) {
			i++
		}
		word := e.host[start:i]
		if len(word) == 1 { // it says nothing
			w.placeholders = w.placeholders && start > 0
			continue
		}
		k := classOf(word)
		switch k {
		case 0, machine, role, service:
			w.placeholders = false
		case access:
			if accesses++; accesses == 2 {
				w.secondAccess = word
			}
		}
		if k == role && start < len(e.left) {
			w.roleLeft = true
		}
		if start == 0 {
			e.assigned = k == access || k == assign || k == plain
		}
		if w.first[k] == "" {
			w.first[k] = word
		}
	}
	return w
}

// words adds the reasons that the words of the name are.
func (e *examination) words() {
	w := e.hostWords()
	if w.secondAccess != "" {
		e.add(AccessWords, w.secondAccess)
	}
	for _, c := range []struct {
		class wordClass
		code  Code
	}{{access, AccessWord}, {assign, AssignWord}, {plain, PlainWord}, {machine, MachineWord}} {
		if w.first[c.class] != "" {
			e.add(c.code, w.first[c.class])
		}
	}
	switch {
	case w.roleLeft:
		e.add(RoleLeft, w.first[role])
	case w.first[role] != "":
		e.add(RoleInner, w.first[role])
	}
	if word := e.orgWord(); word != "" {
		e.add(OrgWord, word)
	}
	if mailFamilies[e.org] && e.host != "" {
		e.add(MailFamily, e.org)
	}
	if w.first[service] != "" && strings.HasPrefix(e.left, w.first[service]) {
		e.add(ServiceLeft, w.first[service])
	}
	if w.placeholders && e.count == 0 {
		e.add(PlaceholderOnly, e.host)
	}
}

// orgWord finds such a word in the label that is registered, as access providers and
// hosters have.
func (e *examination) orgWord() string {
	label, _, _ := strings.Cut(e.org, ".")
	for _, in := range inOrg {
		if strings.Contains(label, in) {
			return in
		}
	}
	return ""
}

// inOrg are parts of the names of those who give addresses to customers.
var inOrg = []string{"dsl", "dial", "pool", "cable", "broadband", "dynamic", "dedicated", "hosting", "server", "vps", "cloud", "telecom", "isp"}

// shape looks at where digits and letters stand.
func (e *examination) shape() {
	if e.host == "" {
		e.add(Apex, "")
		return
	}
	leftDigits := strings.ContainsAny(e.left, "0123456789")
	numbers, long, label := 0, "", ""
	for i := range e.count {
		s := e.numbers[i]
		if s.end > len(e.host) {
			break
		}
		numbers++
		if s.end-s.start >= 4 && long == "" {
			long = e.text(s)
		}
		if (s.start == 0 || e.name[s.start-1] == '.') && (s.end == len(e.name) || e.name[s.end] == '.') && label == "" {
			label = e.text(s)
		}
	}
	switch {
	case numbers == 0:
		e.add(NoDigits, "")
		return
	case !leftDigits:
		e.add(LeftNoDigits, e.left)
	case !e.strong && !e.assigned && e.wordNumber():
		e.add(WordNumber, e.left)
	}
	if strings.Count(e.host, ".") >= 3 {
		e.add(DeepName, e.host)
	}
	if e.strong {
		return // shapes would count the address again
	}
	if long != "" {
		e.add(LongNumber, long)
	}
	if isDigit(e.host[0]) {
		e.add(StartsWithDigit, e.left)
	}
	if numbers >= 3 {
		e.add(ManyNumbers, e.host)
	}
	if label != "" {
		e.add(NumberLabel, label)
	}
	if strings.ContainsAny(e.host[len(e.left):], "0123456789") {
		e.add(InnerDigits, e.host[len(e.left):])
	}
	if part := e.hexLabel(); part != "" {
		e.add(HexLabel, part)
	}
}

// wordNumber reports whether the first label is letters and hyphens, then one or two
// digits at most, and perhaps a letter.
func (e *examination) wordNumber() bool {
	i := 0
	for i < len(e.left) && (isLetter(e.left[i]) || e.left[i] == '-') {
		i++
	}
	digits := i
	for i < len(e.left) && isDigit(e.left[i]) {
		i++
	}
	n := i - digits
	if i < len(e.left) && isLetter(e.left[i]) {
		i++
	}
	return i == len(e.left) && digits >= 2 && (n == 1 || n == 2)
}

// hexLabel finds eight or more hexadecimal digits in a row of the first label, both
// letters and digits among them.
func (e *examination) hexLabel() string {
	for i := 0; i < len(e.left); {
		if !isHex(e.left[i]) {
			i++
			continue
		}
		start, digits, letters := i, 0, 0
		for i < len(e.left) && isHex(e.left[i]) {
			if isDigit(e.left[i]) {
				digits++
			} else {
				letters++
			}
			i++
		}
		if i-start >= 8 && digits > 1 && letters > 1 {
			return e.left[start:i]
		}
	}
	return ""
}

// MailWord returns the first word by which a name, in canonical form, says that its
// machine handles mail, as in mailout, mx1 and smtp-fra, or "". The organizational domain
// does not count.
func MailWord(name string) string {
	host := strings.TrimSuffix(name, suffix.Organizational(name))
	for word := range strings.FieldsFuncSeq(host, func(r rune) bool { return r < 'a' || r > 'z' }) {
		if slices.Contains(mailWords, word) || beginsOrEnds(word, mailStems, mailStems) {
			return word
		}
	}
	return ""
}
