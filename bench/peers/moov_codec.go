// moov-io/iso8583 reads the messages of a file: "show" prints every field, "run" prints ns a message.
//
//	moov_codec MESSAGES WIRE
//
// MESSAGES: for each message a length of two bytes, big-endian, and its body. WIRE: a line a field,
// "field prefix most data side". moov's own BCD pads odd counts at the left and knows no D; fields
// that are padded at the right go through the small encoder below, the others through moov's.
package main

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/moov-io/iso8583"
	"github.com/moov-io/iso8583/encoding"
	"github.com/moov-io/iso8583/field"
	"github.com/moov-io/iso8583/prefix"
)

type rightNibbles struct{}

func (rightNibbles) Encode(digits []byte) ([]byte, error) {
	text := string(digits)
	if len(text)%2 == 1 {
		text += "0"
	}
	return hex.DecodeString(text)
}

func (rightNibbles) Decode(data []byte, length int) ([]byte, int, error) {
	read := (length + 1) / 2
	if len(data) < read {
		return nil, 0, fmt.Errorf("%d bytes wanted, %d left", read, len(data))
	}
	const digits = "0123456789ABCDEF"
	text := make([]byte, 2*read)
	for i, each := range data[:read] {
		text[2*i], text[2*i+1] = digits[each>>4], digits[each&15]
	}
	return text[:length], read, nil
}

func specOf(path string) *iso8583.MessageSpec {
	spec := &iso8583.MessageSpec{Fields: map[int]field.Field{
		0: field.NewString(&field.Spec{Length: 4, Enc: encoding.BCD, Pref: prefix.BCD.Fixed}),
		1: field.NewBitmap(&field.Spec{Length: 8, Enc: encoding.Binary, Pref: prefix.Binary.Fixed}),
	}}
	text, err := os.ReadFile(path)
	must(err)
	prefixes := []prefix.Prefixer{prefix.BCD.Fixed, prefix.BCD.LL, prefix.BCD.LLL}
	for _, line := range strings.Split(strings.TrimSpace(string(text)), "\n") {
		var number, size, most int
		var data, side string
		_, err := fmt.Sscan(line, &number, &size, &most, &data, &side)
		must(err)
		form := &field.Spec{Length: most, Pref: prefixes[size]}
		switch {
		case data == "b":
			form.Enc = encoding.Binary
			spec.Fields[number] = field.NewBinary(form)
			continue
		case data == "ascii":
			form.Enc = encoding.ASCII
		case side == "right":
			form.Enc = rightNibbles{}
		default:
			form.Enc = encoding.BCD
		}
		spec.Fields[number] = field.NewString(form)
	}
	return spec
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func read(spec *iso8583.MessageSpec, body []byte) *iso8583.Message {
	message := iso8583.NewMessage(spec)
	must(message.Unpack(body))
	return message
}

func main() {
	data, err := os.ReadFile(os.Args[1])
	must(err)
	var bodies [][]byte
	for len(data) > 0 {
		size := int(binary.BigEndian.Uint16(data))
		bodies = append(bodies, data[2:2+size])
		data = data[2+size:]
	}
	spec := specOf(os.Args[2])
	out := bufio.NewWriter(os.Stdout)
	asked := bufio.NewScanner(os.Stdin)
	for asked.Scan() {
		if asked.Text() == "show" {
			for row, body := range bodies {
				for number, each := range read(spec, body).GetFields() {
					if number < 2 {
						continue
					}
					text, err := each.String()
					must(err)
					fmt.Fprintln(out, row, number, strings.ToUpper(text))
				}
			}
		} else {
			began := time.Now()
			for _, body := range bodies {
				read(spec, body)
			}
			fmt.Fprintln(out, float64(time.Since(began).Nanoseconds())/float64(len(bodies)))
		}
		fmt.Fprintln(out, ".")
		must(out.Flush())
	}
}
