package chat

import (
	"strings"

	"github.com/tidwall/gjson"

	"github.com/busuhq/busu/internal/document"
	"github.com/busuhq/busu/internal/llm"
)

// Types of parts.
const (
	typeText    = "text"
	typeImage   = "image_url"
	typeAudio   = "input_audio"
	typeFile    = "file"
	typeRefusal = "refusal"
)

// foreign begins the kind of a part whose type is not known here, such as
// chat/video_url: nobody who translates shall take it for something else, or
// pass over it.
const foreign = "chat/"

// readPart adds a part to m.
func (p *parser) readPart(m *llm.Message, v gjson.Result) {
	if !v.IsObject() {
		p.Add(document.CodeType, "", "is %s, must be an object", document.Show(v))
		return
	}
	kind := p.required("type", v.Get("type"))
	switch kind {
	case "":
	case typeText:
		m.Parts = append(m.Parts, llm.Part{Kind: llm.PartText, Text: p.Text(kind, v.Get(kind))})
	case typeRefusal:
		m.Refusal += p.Text(kind, v.Get(kind))
	case typeImage:
		m.Parts = append(m.Parts, p.readImage(v.Get(kind)))
	case typeAudio:
		m.Parts = append(m.Parts, p.readAudio(v.Get(kind)))
	case typeFile:
		m.Parts = append(m.Parts, p.readFile(v.Get(kind)))
	default:
		m.Parts = append(m.Parts, llm.Part{Kind: foreign + kind})
	}
}

func (p *parser) readImage(v gjson.Result) llm.Part {
	part := llm.Part{Kind: llm.PartImage}
	if v.Type == gjson.String { // not OpenAI's, but written and taken by many
		place(&part, p.source(typeImage, v))
		return part
	}
	p.Members(typeImage, v, func(name string, v gjson.Result) {
		switch name {
		case "url":
			place(&part, p.source(name, v))
		case "detail":
			part.Detail = p.Word(name, v, maxName)
		}
	})
	if part.URL == "" && part.Data == "" && v.IsObject() {
		p.Missing(typeImage + ".url")
	}
	return part
}

func (p *parser) readAudio(v gjson.Result) llm.Part {
	part := llm.Part{Kind: llm.PartAudio}
	p.Members(typeAudio, v, func(name string, v gjson.Result) {
		switch name {
		case "data":
			part.Data = p.source(name, v)
		case "format":
			part.MediaType = mediaTypeOf(p.Word(name, v, maxName))
		}
	})
	if v.IsObject() && part.Data == "" {
		p.Missing(typeAudio + ".data")
	}
	if v.IsObject() && part.MediaType == "" {
		p.Missing(typeAudio + ".format")
	}
	return part
}

// readFile reads a file. One that is known to the vendor by its file_id has
// neither data nor a URL.
func (p *parser) readFile(v gjson.Result) llm.Part {
	part := llm.Part{Kind: llm.PartFile}
	uploaded := false
	p.Members(typeFile, v, func(name string, v gjson.Result) {
		switch name {
		case "file_data":
			place(&part, p.source(name, v))
		case "file_id":
			uploaded = p.Word(name, v, maxName) != ""
		case "filename":
			part.Name = p.Word(name, v, maxName)
		}
	})
	if v.IsObject() && !uploaded && part.URL == "" && part.Data == "" {
		p.Missing(typeFile + ".file_data")
	}
	return part
}

// source gives a URL or data, which must not be empty.
func (p *parser) source(field string, v gjson.Result) string {
	s := p.Text(field, v)
	if s == "" && v.Type == gjson.String {
		p.Add(document.CodeValue, field, "is empty")
	}
	return s
}

// place puts where a part is into its fields: data:image/png;base64,… is data
// and its type, what begins like an address is one, all else is data of a type
// that is not said.
func place(part *llm.Part, source string) {
	if inline, ok := strings.CutPrefix(source, "data:"); ok {
		if media, data, ok := strings.Cut(inline, ";base64,"); ok && data != "" && len(media) <= maxName {
			part.MediaType, part.Data = media, data
			return
		}
	}
	if strings.Contains(source[:min(len(source), maxName)], ":") || part.Kind == llm.PartImage {
		part.URL = source
		return
	}
	part.Data = source
}

// mediaTypeOf names a format of sound as the rest of the world does.
func mediaTypeOf(format string) string {
	switch format {
	case "":
		return ""
	case "mp3":
		return "audio/mpeg"
	}
	return "audio/" + format
}

// formatOf is the way back.
func formatOf(mediaType string) string {
	switch mediaType {
	case "audio/mpeg":
		return "mp3"
	case "audio/x-wav", "audio/wave":
		return "wav"
	}
	return strings.TrimPrefix(mediaType, "audio/")
}
