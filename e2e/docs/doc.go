// Package docs runs what busu's documents tell their readers to type. Of each
// document that has any it takes the blocks of shell in their order, in one shell,
// in an empty folder (those of documents at the top in a copy of the repository),
// with the real busu on the PATH, and holds what they print
// against what the document says they print.
//
// What a block is says the line that it begins with:
//
//	```sh                     a command, which must succeed
//	```sh terminal            runs in a terminal of its own, until the document ends; busu up, most often
//	```sh alone               a command, after everything in terminals has ended, as by Ctrl-C
//	```sh terminal restart    what begins in a terminal then
//	```sh norun: why          cannot be run here
//
// A block without a language, or of text or JSON, that stands directly behind
// a block of shell is its output. In it … stands for anything. Addresses
// such as 127.0.0.1:8000 are replaced by free ones.
package docs
