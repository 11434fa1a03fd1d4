extension StateFile {
  /// The JSON Schema (draft 2020-12) of a state file.
  ///
  /// It stands here because a static binary has no resources; `quartet-state.schema.json` beside this file is the
  /// same, for editors, and a test holds them together. What a schema cannot say (a number in quotes that is out of
  /// range, a target that is there twice) is found by reading the file.
  public static let schema = #"""
    {
      "$schema": "https://json-schema.org/draft/2020-12/schema",
      "$id": "urn:quartet:state:1",
      "title": "Quartet state file",
      "description": "What Linux's iSCSI targets are to export, and the replicated volumes below them. What is not named is left as it is; a list that is named is whole.",
      "type": "object",
      "required": ["quartet"],
      "additionalProperties": false,
      "properties": {
        "quartet": {"description": "The version of this form.", "type": "integer", "const": 1},
        "resources": {"description": "Replicated disks, below everything else; others are left alone.", "type": "array", "items": {"$ref": "#/$defs/resource"}},
        "pools": {"description": "Pools of extents, and the volumes in them; others are left alone.", "type": "array", "items": {"$ref": "#/$defs/pool"}},
        "targets": {"description": "The targets; others are left alone.", "type": "array", "items": {"$ref": "#/$defs/target"}},
        "discovery": {"description": "How initiators prove themselves before they are told the targets.", "$ref": "#/$defs/accounts"}
      },
      "$defs": {
        "target": {
          "type": "object",
          "required": ["name"],
          "additionalProperties": false,
          "properties": {
            "name": {"description": "The name; upper case is folded.", "$ref": "#/$defs/name"},
            "implementation": {"description": "What exports it, such as tgt or lio; without it the command chooses.", "$ref": "#/$defs/word"},
            "id": {"description": "Its number, where the implementation numbers targets.", "type": "integer", "minimum": 0, "maximum": 4294967295},
            "enabled": {"description": "Whether it is in service; a new one is, unless this is false.", "type": "boolean"},
            "portals": {"description": "Where it is reached: ADDRESS, ADDRESS:PORT or [IPV6]:PORT, each with ,iser behind it for iSER.", "type": "array", "items": {"$ref": "#/$defs/portal"}},
            "initiators": {"description": "Who may log in; to a new target without it, nobody may.", "$ref": "#/$defs/initiators"},
            "chap": {"description": "How initiators and the target prove themselves.", "$ref": "#/$defs/accounts"},
            "parameters": {"$ref": "#/$defs/parameters"},
            "attributes": {"$ref": "#/$defs/attributes"},
            "luns": {"description": "The logical units.", "type": "array", "items": {"$ref": "#/$defs/unit"}}
          }
        },
        "unit": {
          "type": "object",
          "required": ["lun"],
          "oneOf": [{"required": ["path"]}, {"required": ["volume"]}],
          "additionalProperties": false,
          "properties": {
            "lun": {"description": "Its number.", "type": "integer", "minimum": 0, "maximum": 16383},
            "path": {"description": "The file or block device that holds its blocks; null for a drive without a medium.", "$ref": "#/$defs/path"},
            "volume": {"description": "The volume of a pool that holds its blocks, POOL/VOLUME.", "type": "string", "pattern": "^[0-9A-Za-z_][0-9A-Za-z_.+-]*/[0-9A-Za-z_][0-9A-Za-z_.+-]*$"},
            "initiators": {"description": "Who sees it; without it everyone who may log in.", "$ref": "#/$defs/initiators"},
            "attributes": {"$ref": "#/$defs/attributes"},
            "store": {"description": "The implementation's name for the way to the backing, such as rdwr, aio, fileio or vdisk_blockio.", "$ref": "#/$defs/word"},
            "deviceType": {"enum": ["disk", "cd", "tape", "changer", "osd", "passthrough", "controller"]},
            "blockSize": {"description": "The size of a block in bytes.", "type": "integer", "minimum": 1, "maximum": 4294967295},
            "readOnly": {"type": "boolean"},
            "cache": {"description": "When a write is acknowledged: through, once it is on stable storage; back, once it is in a cache that a power failure empties.", "enum": ["through", "back"]},
            "thin": {"description": "Whether unmapped blocks are given back.", "type": "boolean"},
            "removable": {"type": "boolean"},
            "online": {"description": "Whether a medium is there.", "type": "boolean"},
            "scsiID": {"description": "The identity in VPD page 0x83; without it one is derived from the target's name and the number.", "$ref": "#/$defs/text", "maxLength": 252},
            "serial": {"description": "The serial number in VPD page 0x80; without it one is derived likewise.", "$ref": "#/$defs/text", "maxLength": 252},
            "vendor": {"$ref": "#/$defs/text", "maxLength": 8},
            "product": {"$ref": "#/$defs/text", "maxLength": 16},
            "revision": {"$ref": "#/$defs/text", "maxLength": 4}
          }
        },
        "accounts": {
          "type": "object",
          "additionalProperties": false,
          "properties": {
            "incoming": {"description": "The accounts by which initiators prove themselves; with [] no proof is asked.", "type": "array", "items": {"$ref": "#/$defs/account"}},
            "outgoing": {"description": "The account by which the target proves itself; null for none.", "anyOf": [{"$ref": "#/$defs/account"}, {"type": "null"}]}
          }
        },
        "account": {
          "type": "object",
          "required": ["user", "secret"],
          "additionalProperties": false,
          "properties": {
            "user": {"$ref": "#/$defs/scalar", "minLength": 1, "maxLength": 255, "pattern": "^[!#-&(-+\\--\\[\\]-~]+$"},
            "secret": {"$ref": "#/$defs/secret"}
          }
        },
        "secret": {
          "description": "Where the secret is; it never stands here itself.",
          "type": "object",
          "minProperties": 1,
          "maxProperties": 1,
          "additionalProperties": false,
          "properties": {
            "file": {"description": "A file of mode 0600.", "type": "string", "maxLength": 1023, "pattern": "^/[^\\u0000-\\u001f\\u007f]*$"},
            "credential": {"description": "A file in $CREDENTIALS_DIRECTORY, see systemd.exec(5).", "$ref": "#/$defs/scalar", "maxLength": 255, "pattern": "^[!-.0-~]+$", "not": {"enum": [".", ".."]}},
            "descriptor": {"description": "An open descriptor, read to its end.", "type": "integer", "minimum": 0, "maximum": 1048575, "not": {"enum": [1, 2]}}
          }
        },
        "initiators": {"anyOf": [{"const": "all"}, {"type": "array", "items": {"$ref": "#/$defs/initiator"}}]},
        "initiator": {
          "description": "A name, a pattern of names with * or ?, an address, a network like 192.168.0.0/24, or all.",
          "type": "string",
          "pattern": "^([Aa][Ll][Ll]|[Ii][Qq][Nn][.].+|[Ee][Uu][Ii][.].+|[Nn][Aa][Aa][.].+|[0-9]{1,3}([.][0-9]{1,3}){3}(/[0-9]+)?|\\[?[0-9A-Fa-f]*:[0-9A-Fa-f:.]*(%[0-9A-Za-z._-]{1,15})?\\]?(/[0-9]+)?)$"
        },
        "name": {
          "type": "string",
          "maxLength": 223,
          "pattern": "^([Ii][Qq][Nn][.][0-9]{4}-(0[1-9]|1[0-2])[.][0-9A-Za-z-][0-9A-Za-z.:-]*|([Ee][Uu][Ii]|[Nn][Aa][Aa])[.][0-9A-Fa-f]{16}|[Nn][Aa][Aa][.][0-9A-Fa-f]{32})$"
        },
        "portal": {
          "type": "string",
          "pattern": "^([0-9]{1,3}([.][0-9]{1,3}){3}|\\[[0-9A-Fa-f:.]+(%[0-9A-Za-z._-]{1,15})?\\])(:0*[1-9][0-9]{0,4})?(,iser)?$"
        },
        "parameters": {
          "description": "Session parameters of RFC 7143 section 13.",
          "type": "object",
          "additionalProperties": false,
          "properties": {
            "HeaderDigest": {"$ref": "#/$defs/digests"},
            "DataDigest": {"$ref": "#/$defs/digests"},
            "MaxConnections": {"$ref": "#/$defs/count"},
            "InitialR2T": {"$ref": "#/$defs/answer"},
            "ImmediateData": {"$ref": "#/$defs/answer"},
            "MaxRecvDataSegmentLength": {"$ref": "#/$defs/length"},
            "MaxXmitDataSegmentLength": {"$ref": "#/$defs/length"},
            "MaxBurstLength": {"$ref": "#/$defs/length"},
            "FirstBurstLength": {"$ref": "#/$defs/length"},
            "DefaultTime2Wait": {"$ref": "#/$defs/seconds"},
            "DefaultTime2Retain": {"$ref": "#/$defs/seconds"},
            "MaxOutstandingR2T": {"$ref": "#/$defs/count"},
            "DataPDUInOrder": {"$ref": "#/$defs/answer"},
            "DataSequenceInOrder": {"$ref": "#/$defs/answer"},
            "ErrorRecoveryLevel": {"$ref": "#/$defs/level"},
            "IFMarker": {"$ref": "#/$defs/answer"},
            "OFMarker": {"$ref": "#/$defs/answer"}
          }
        },
        "digests": {"type": "string", "pattern": "^\\s*([Nn][Oo][Nn][Ee]|[Cc][Rr][Cc]32[Cc])\\s*(,\\s*([Nn][Oo][Nn][Ee]|[Cc][Rr][Cc]32[Cc])\\s*)?$"},
        "answer": {"type": ["boolean", "string"], "pattern": "^([Yy][Ee][Ss]|[Nn][Oo]|[Tt][Rr][Uu][Ee]|[Ff][Aa][Ll][Ss][Ee])$"},
        "count": {"type": ["integer", "string"], "minimum": 1, "maximum": 65535, "pattern": "^[0-9]+$"},
        "length": {"description": "In bytes.", "type": ["integer", "string"], "minimum": 512, "maximum": 16777215, "pattern": "^[0-9]+$"},
        "seconds": {"type": ["integer", "string"], "minimum": 0, "maximum": 3600, "pattern": "^[0-9]+$"},
        "level": {"type": ["integer", "string"], "minimum": 0, "maximum": 2, "pattern": "^-?[0-9]+$"},
        "attributes": {
          "description": "The implementation's own settings, by its own names.",
          "type": "object",
          "propertyNames": {"pattern": "^[!#-&(-+.0-<>-~-]+$"},
          "additionalProperties": {"$ref": "#/$defs/scalar", "pattern": "^[ -~]*$"}
        },
        "resource": {
          "description": "A DRBD resource, the same on every node that it names; see drbd.conf(5).",
          "type": "object",
          "required": ["name", "nodes", "volumes"],
          "additionalProperties": false,
          "properties": {
            "name": {"$ref": "#/$defs/plainName", "maxLength": 64, "not": {"const": "all"}},
            "protocol": {"description": "When a write is acknowledged: A when it is sent, B when the peer has received it, C when it is on both disks.", "enum": ["A", "B", "C"]},
            "fencing": {"description": "What a primary does before it goes on without its peer.", "enum": ["dont-care", "resource-only", "resource-and-stonith"]},
            "sharedSecret": {"description": "What the nodes prove to one another that they know.", "$ref": "#/$defs/secret"},
            "skipFirstSync": {"description": "Whether new disks are declared to be alike on all nodes, instead of copied, when the resource is made primary for the first time.", "type": "boolean"},
            "options": {"$ref": "#/$defs/settings"},
            "net": {"$ref": "#/$defs/settings"},
            "disk": {"$ref": "#/$defs/settings"},
            "startup": {"$ref": "#/$defs/settings"},
            "handlers": {"$ref": "#/$defs/settings"},
            "nodes": {"description": "The machines that have a copy; a node's number for DRBD 9 is its place here.", "type": "array", "minItems": 2, "maxItems": 32, "items": {"$ref": "#/$defs/node"}},
            "volumes": {"description": "The block devices that are replicated.", "type": "array", "minItems": 1, "items": {"$ref": "#/$defs/replicatedVolume"}}
          }
        },
        "node": {
          "type": "object",
          "required": ["name", "address"],
          "additionalProperties": false,
          "properties": {
            "name": {"description": "Its name, as uname -n says it.", "$ref": "#/$defs/plainName", "maxLength": 64},
            "address": {"description": "Where its DRBD listens: ADDRESS:PORT or [IPV6]:PORT.", "type": "string", "pattern": "^([0-9]{1,3}([.][0-9]{1,3}){3}|\\[[0-9A-Fa-f:.]+(%[0-9A-Za-z._-]{1,15})?\\]|[0-9A-Fa-f:.]+(%[0-9A-Za-z._-]{1,15})?):[+]?0*[1-9][0-9]{0,4}$"}
          }
        },
        "replicatedVolume": {
          "type": "object",
          "required": ["disk"],
          "anyOf": [{"required": ["minor"]}, {"required": ["device"]}],
          "additionalProperties": false,
          "properties": {
            "number": {"description": "Its number in the resource; without it its place in the list, from 0.", "type": "integer", "minimum": 0, "maximum": 65535},
            "minor": {"$ref": "#/$defs/minor"},
            "device": {"$ref": "#/$defs/device"},
            "disk": {"$ref": "#/$defs/disk"},
            "metaDisk": {"$ref": "#/$defs/metaDisk"},
            "nodes": {"description": "What is otherwise on some nodes, by their names.", "type": "object", "propertyNames": {"$ref": "#/$defs/plainName", "maxLength": 64}, "additionalProperties": {"$ref": "#/$defs/volumeOnNode"}}
          }
        },
        "volumeOnNode": {
          "type": "object",
          "additionalProperties": false,
          "properties": {
            "minor": {"$ref": "#/$defs/minor"},
            "device": {"$ref": "#/$defs/device"},
            "disk": {"$ref": "#/$defs/disk"},
            "metaDisk": {"$ref": "#/$defs/metaDisk"}
          }
        },
        "minor": {"description": "The minor of the device, which is /dev/drbdMINOR.", "type": "integer", "minimum": 0, "maximum": 1048575},
        "device": {"description": "The device, where it is not /dev/drbdMINOR.", "type": "string", "maxLength": 128, "pattern": "^/[0-9A-Za-z_.+:/-]+$"},
        "disk": {"description": "The disk that holds the data; null for a node without a copy.", "type": ["string", "null"], "maxLength": 128, "pattern": "^/[0-9A-Za-z_.+:/-]+$"},
        "metaDisk": {"description": "Where the metadata is: internal, DEVICE or DEVICE[INDEX].", "type": "string", "pattern": "^(internal|/[0-9A-Za-z_.+:/-]+(\\[[+]?[0-9]+\\])?)$"},
        "settings": {
          "description": "Options by their names in drbd.conf(5).",
          "type": "object",
          "propertyNames": {"pattern": "^[a-z][0-9a-z-]*$", "not": {"enum": ["protocol", "fencing", "shared-secret"]}},
          "additionalProperties": {"$ref": "#/$defs/scalar", "maxLength": 200, "pattern": "^[ -~]*$"}
        },
        "pool": {
          "description": "A volume group of LVM on devices, or a pool of the embedded engine on legs.",
          "type": "object",
          "required": ["name"],
          "oneOf": [
            {"required": ["devices"], "properties": {"size": false, "sparse": false, "resyncRate": false}},
            {
              "required": ["legs"],
              "properties": {"volumes": {"items": {"properties": {"type": {"const": "linear"}, "thinPool": false}}}},
              "if": {"properties": {"legs": {"maxItems": 1}}},
              "then": {"properties": {"resyncRate": false}}
            }
          ],
          "additionalProperties": false,
          "properties": {
            "name": {"$ref": "#/$defs/plainName", "maxLength": 127},
            "devices": {"description": "The whole list of its devices, such as /dev/drbd0.", "type": "array", "minItems": 1, "items": {"$ref": "#/$defs/device"}},
            "legs": {"description": "The whole list of its legs: files, block devices, and URIs of NBD exports.", "type": "array", "minItems": 1, "maxItems": 8, "items": {"$ref": "#/$defs/scalar", "maxLength": 1024, "pattern": "^(/[^\\u0000-\\u001f\\u007f]*[^/\\u0000-\\u001f\\u007f]|nbds?(\\+unix|\\+vsock)?://[^\\u0000-\\u001f\\u007f]*)$"}},
            "size": {"description": "The size of legs that are files and do not exist yet.", "$ref": "#/$defs/bytes"},
            "sparse": {"description": "Whether such files get their blocks only when they are written.", "type": "boolean"},
            "extentSize": {"description": "The size of an extent, a power of 2; it is chosen when the pool is made.", "$ref": "#/$defs/bytes"},
            "resyncRate": {"description": "How many bytes a second a resync copies at most; none for no limit.", "type": ["integer", "string"], "minimum": 1, "maximum": 1152921504606846976, "pattern": "^(none|0*[1-9][0-9]*[KMGTP]?)$"},
            "volumes": {"description": "Volumes in it; others are left alone.", "type": "array", "items": {"$ref": "#/$defs/logicalVolume"}}
          }
        },
        "logicalVolume": {
          "type": "object",
          "required": ["name"],
          "oneOf": [{"required": ["size"]}, {"required": ["extents"]}],
          "if": {"properties": {"type": {"const": "thin"}}, "required": ["type"]},
          "then": {"required": ["thinPool"]},
          "else": {"if": {"required": ["type"]}, "then": {"properties": {"thinPool": false}}},
          "additionalProperties": false,
          "properties": {
            "name": {"$ref": "#/$defs/plainName", "maxLength": 127},
            "size": {"description": "How large it is at least.", "$ref": "#/$defs/bytes"},
            "extents": {"description": "The same in extents of the pool.", "type": "integer", "minimum": 1, "maximum": 4294967295},
            "type": {"description": "What it is made of; linear unless something else is said.", "enum": ["linear", "thin-pool", "thin"]},
            "thinPool": {"description": "The thin pool that it takes its blocks from as they are written.", "$ref": "#/$defs/plainName", "maxLength": 127}
          }
        },
        "bytes": {"description": "A number of bytes, or with K, M, G, T or P of 1024, 1024 * 1024, ... bytes.", "type": ["integer", "string"], "minimum": 1, "maximum": 1152921504606846976, "pattern": "^0*[1-9][0-9]*[KMGTP]?$"},
        "plainName": {"$ref": "#/$defs/scalar", "pattern": "^[0-9A-Za-z_][0-9A-Za-z_.+-]*$"},
        "path": {"type": ["string", "null"], "maxLength": 1023, "pattern": "^/[^\\u0000-\\u001f\\u007f]*$"},
        "scalar": {"description": "Text; a number or a boolean stands for the text that is written.", "type": ["string", "number", "boolean"]},
        "text": {"$ref": "#/$defs/scalar", "minLength": 1, "pattern": "^[ -~]*$"},
        "word": {"$ref": "#/$defs/scalar", "pattern": "^[!-+\\--~]+$"}
      }
    }

    """#
}
