// A memberlist node that prints every user message as hex, and sends the lines it reads.
package main

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/hashicorp/memberlist"
)

type delegate struct{ queue *memberlist.TransmitLimitedQueue }

type broadcast []byte

func (b broadcast) Invalidates(memberlist.Broadcast) bool { return false }
func (b broadcast) Message() []byte                       { return b }
func (b broadcast) Finished()                             {}

func (d *delegate) NodeMeta(limit int) []byte                  { return nil }
func (d *delegate) NotifyMsg(b []byte)                         { fmt.Println("message", hex.EncodeToString(b)) }
func (d *delegate) GetBroadcasts(overhead, limit int) [][]byte { return d.queue.GetBroadcasts(overhead, limit) }
func (d *delegate) LocalState(join bool) []byte                { return nil }
func (d *delegate) MergeRemoteState(buf []byte, join bool)     {}

func main() {
	config := memberlist.DefaultLocalConfig()
	config.Name = os.Args[1]
	config.BindAddr = "127.0.0.1"
	config.BindPort, _ = strconv.Atoi(os.Args[2])
	config.AdvertisePort = config.BindPort
	config.LogOutput = os.Stderr
	d := &delegate{}
	config.Delegate = d
	list, err := memberlist.Create(config)
	if err != nil {
		panic(err)
	}
	d.queue = &memberlist.TransmitLimitedQueue{NumNodes: list.NumMembers, RetransmitMult: 2}
	fmt.Println("ready")
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		switch words[0] {
		case "broadcast":
			d.queue.QueueBroadcast(broadcast(words[1]))
		case "send":
			for _, node := range list.Members() {
				if node.Name == words[1] {
					fmt.Println("sent", list.SendReliable(node, []byte(words[2])))
				}
			}
		}
	}
}
