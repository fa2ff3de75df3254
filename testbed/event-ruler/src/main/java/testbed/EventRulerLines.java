package testbed;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.BufferedWriter;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStreamWriter;
import java.nio.charset.StandardCharsets;
import software.amazon.event.ruler.Machine;

/**
 * Answers one JSON line for each JSON line read: does the pattern match the event?
 *
 * <pre>
 * {"pattern": {...}, "event": {...}}         true | false | {"error": "..."}
 * {"pattern": {...}, "events": [{...}, ...]} [true, false, ...] | {"error": "..."}
 * </pre>
 */
public final class EventRulerLines {
    private static final ObjectMapper JSON = new ObjectMapper();

    public static void main(String[] args) throws IOException {
        BufferedReader input = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        BufferedWriter output = new BufferedWriter(new OutputStreamWriter(System.out, StandardCharsets.UTF_8));
        for (String line = input.readLine(); line != null; line = input.readLine()) {
            output.write(answer(line));
            output.newLine();
            // Whoever waits for this answer sends nothing more until it comes.
            if (!input.ready()) {
                output.flush();
            }
        }
        output.flush();
    }

    private static String answer(String line) throws IOException {
        try {
            JsonNode question = JSON.readTree(line);
            Machine machine = new Machine();
            machine.addRule("rule", question.required("pattern").toString());
            if (question.has("event")) {
                return String.valueOf(matches(machine, question.get("event")));
            }
            ArrayNode answers = JSON.createArrayNode();
            for (JsonNode event : question.required("events")) {
                answers.add(matches(machine, event));
            }
            return answers.toString();
        } catch (Exception | StackOverflowError problem) {
            ObjectNode error = JSON.createObjectNode().put("error", String.valueOf(problem.getMessage()));
            return error.toString();
        }
    }

    private static boolean matches(Machine machine, JsonNode event) throws Exception {
        return !machine.rulesForJSONEvent(event.toString()).isEmpty();
    }
}
